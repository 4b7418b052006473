// Numbers with a unit: `1.5s`, `64KiB`. A number alone is refused: nobody can tell whether 30 is
// seconds.

internal import Admission

/// A kind of numbers with units.
struct Quantity: Sendable {
    struct Unit: Sendable {
        var name: String
        var factor: Int
    }

    /// `duration` or `size`.
    var name: String
    var example: String
    /// The units from the smallest, whose factor is 1.
    var units: [Unit]
    /// Spellings that people try, and what they stand for.
    var misspellings: [String: String]

    /// Durations, counted in nanoseconds.
    static let duration = Quantity(
        name: "duration", example: "10s",
        units: [
            Unit(name: "ns", factor: 1), Unit(name: "us", factor: 1_000),
            Unit(name: "ms", factor: 1_000_000), Unit(name: "s", factor: 1_000_000_000),
            Unit(name: "m", factor: 60_000_000_000), Unit(name: "h", factor: 3_600_000_000_000),
        ],
        misspellings: [
            "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m",
            "minute": "m", "minutes": "m", "hour": "h", "hours": "h", "msec": "ms", "µs": "us",
            "usec": "us",
        ])

    /// Sizes, counted in bytes.
    static let size = Quantity(
        name: "size", example: "64KiB",
        units: [
            Unit(name: "B", factor: 1), Unit(name: "KiB", factor: 1 << 10),
            Unit(name: "MiB", factor: 1 << 20), Unit(name: "GiB", factor: 1 << 30),
            Unit(name: "TiB", factor: 1 << 40),
        ],
        misspellings: [
            "k": "KiB", "kb": "KiB", "ki": "KiB", "m": "MiB", "mb": "MiB", "mi": "MiB", "g": "GiB",
            "gb": "GiB", "gi": "GiB", "t": "TiB", "tb": "TiB", "ti": "TiB", "byte": "B",
            "bytes": "B",
        ])

    /// A regular expression for all quantities of the kind.
    var pattern: String {
        "^[0-9]+(\\.[0-9]+)?(\(units.map(\.name).joined(separator: "|")))$"
    }

    /// The number in the smallest unit; `nil` when it is too large for an `Int`.
    func parse(_ text: String) throws(Fault) -> Int? {
        let number = text.prefix { $0.isASCIIDigit || $0 == "." }
        let name = String(text.dropFirst(number.count))
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw Fault(
                "\(text.quoted) is not a \(self.name)", "write a \(self.name) such as \(example)")
        }
        let unit = try unit(name, number: number)
        let (whole, overflows) = (Int(parts[0]) ?? .max).multipliedReportingOverflow(
            by: unit.factor)
        if overflows { return nil }
        guard parts.count == 2 else { return whole }
        guard parts[1].count <= 9 else {
            throw Fault("\(text.quoted) has more than nine decimals", "round it")
        }
        let part = try fraction(parts[1], of: unit, in: text)
        let (sum, sumOverflows) = whole.addingReportingOverflow(part)
        return sumOverflows ? nil : sum
    }

    private func unit(_ name: String, number: Substring) throws(Fault) -> Unit {
        if let unit = units.first(where: { $0.name == name }) { return unit }
        if name.isEmpty {
            throw Fault(
                "\(String(number).quoted) has no unit", "write a \(self.name) such as \(example)")
        }
        if name.contains(where: \.isASCIIDigit) {
            throw Fault(
                "\("\(number)\(name)".quoted) is not one number with one unit",
                "write a \(self.name) such as \(example)")
        }
        let known = units.map(\.name).joined(separator: ", ")
        let lowered = name.lowercased()
        let meant =
            misspellings[name] ?? misspellings[lowered]
            ?? units.first { $0.name.lowercased() == lowered }?.name
        let hint = meant.map { "did you mean \("\(number)\($0)".quoted)? " } ?? ""
        throw Fault("\(name.quoted) is not a unit of a \(self.name)", "\(hint)units are \(known)")
    }

    private func fraction(
        _ digits: Substring, of unit: Unit, in text: String
    ) throws(Fault) -> Int {
        let scale = repeatElement(10, count: digits.count).reduce(1, *)
        let product = unit.factor.multipliedFullWidth(by: Int(digits) ?? 0)
        let (quotient, remainder) = scale.dividingFullWidth(product)
        guard remainder == 0 else {
            throw Fault("\(text.quoted) is not a whole number of \(units[0].name)", "round it")
        }
        return quotient
    }

    /// The shortest whole number with a unit: 90 s is `90s`, 120 s is `2m`.
    func text(_ value: Int) -> String {
        if value == 0 { return name == "duration" ? "0s" : "0B" }
        let unit = units.last { value % $0.factor == 0 } ?? units[0]
        return "\(value / unit.factor)\(unit.name)"
    }
}

extension Duration {
    /// The duration as policies say it.
    package var written: String { Quantity.duration.text(Int(wholeNanoseconds)) }

    /// The duration that `text` says as policies do, such as `30m`; nil where it says none.
    package static func written(_ text: String) -> Duration? {
        do throws(Fault) {
            return try Quantity.duration.parse(text).map { .nanoseconds(Int64($0)) }
        } catch {
            return nil
        }
    }
}
