// Labels are written once, when a pool or backend is made, and copied at each scrape.

/// `value` as it stands between the quotation marks of a label: backslash, quotation mark and line
/// feed escaped (Prometheus text format 0.0.4).
func escapedLabel(_ value: String) -> String {
    var escaped = ""
    for character in value.unicodeScalars {
        switch character {
        case "\\": escaped += "\\\\"
        case "\"": escaped += "\\\""
        case "\n": escaped += "\\n"
        default: escaped.unicodeScalars.append(character)
        }
    }
    return escaped
}
