// Text in the language of manual pages: man(7)'s macros, as groff and mandoc read them.

/// A manual page as it is written.
struct RoffText {
    private(set) var text: String
    /// Headings begin a paragraph themselves.
    private var isBelowHeading = false

    /// Begins the page `name(section)`.
    init(name: String, section: Int, version: String) {
        text = #".\" Made by `penstock manual`."# + "\n"
        // Without a date: the same binary makes the same page.
        text += ".TH \(Self.quoted(name.uppercased())) \(section) \"\" "
        text += "\(Self.quoted("Penstock \(version)")) Penstock\n"
    }

    mutating func section(_ title: String) {
        text += ".SH \(Self.quoted(title))\n"
        isBelowHeading = true
    }

    mutating func subsection(_ title: String) {
        text += ".SS \(Self.quoted(title))\n"
        isBelowHeading = true
    }

    mutating func paragraph(_ paragraph: String) {
        beginParagraph()
        text += Self.running(paragraph) + "\n"
    }

    /// Lines that are shown as they stand.
    mutating func example(_ lines: [String]) {
        beginParagraph()
        text += ".RS 4\n.EX\n"
        for line in lines { text += Self.line(Self.escaped(line)) + "\n" }
        text += ".EE\n.RE\n"
    }

    /// A list's element: a word or two, and below it what is said of them, in one or several lines.
    mutating func item(_ label: String, _ descriptions: String...) {
        text += ".TP\n\(Self.line(label))\n"
        text += descriptions.map(Self.running).joined(separator: "\n.br\n") + "\n"
        isBelowHeading = false
    }

    /// Lines, each of its own, of which nothing is escaped.
    mutating func verbatim(_ lines: [String]) {
        text += lines.map(Self.line).joined(separator: "\n.br\n") + "\n"
        isBelowHeading = false
    }

    private mutating func beginParagraph() {
        if !isBelowHeading { text += ".PP\n" }
        isBelowHeading = false
    }

    /// Help's own form: paragraphs between empty lines, and those of several lines, or indented, as they
    /// stand.
    mutating func discussion(_ discussion: String) {
        let lines = discussion.split(separator: "\n", omittingEmptySubsequences: false)
        for block in lines.split(whereSeparator: \.isEmpty) {
            guard block.count > 1 || block.first?.hasPrefix(" ") == true else {
                paragraph(String(block.first ?? ""))
                continue
            }
            let margin = block.map { $0.prefix { $0 == " " }.count }.min() ?? 0
            example(block.map { String($0.dropFirst(margin)) })
        }
    }

    static func bold(_ text: String) -> String { "\\fB\(escaped(text))\\fR" }

    static func italic(_ text: String) -> String { "\\fI\(escaped(text))\\fR" }

    /// Text whose parts between backticks are literal, as in Markdown.
    static func running(_ text: String) -> String {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false)
        // An odd backtick stands for itself.
        guard !parts.count.isMultiple(of: 2) else { return line(escaped(text)) }
        let written = parts.enumerated().map { place, part in
            place.isMultiple(of: 2) ? escaped(String(part)) : bold(String(part))
        }
        return line(written.joined())
    }

    /// `text` with every character shown as it is, those included that groff would make prettier: what is
    /// copied from a page has to work.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "'": result += "\\(aq"
            case "`": result += "\\(ga"
            case "^": result += "\\(ha"
            case "~": result += "\\(ti"
            default: result.append(character)
            }
        }
        return result
    }

    /// `line`, which then begins no request.
    private static func line(_ line: String) -> String {
        line.hasPrefix(".") ? "\\&\(line)" : line
    }

    /// A macro's argument.
    private static func quoted(_ text: String) -> String {
        "\"\(escaped(text).replacing("\"", with: "\\(dq"))\""
    }
}
