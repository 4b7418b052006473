// Active checks of a pool's backends, as the policy has them.

package import Admission

/// How the backends of a pool are checked.
package struct HealthSettings: Equatable, Sendable {
    /// What they are asked for with `GET`: a path, beginning with `/`, perhaps with a query.
    package var path: String
    /// How long the whole response may take, 3 s to 5 min.
    package var timeout = Duration.seconds(10)
    /// How often they are asked, and how many checks say something.
    package var rules = CheckRules()

    /// Checks of that path.
    package init(path: String) {
        self.path = path
    }
}

extension Kind<String> {
    /// A path that backends are asked for, perhaps with a query; such as `example`.
    static func backendPath(_ example: String) -> Kind {
        .text(
            "a path such as \(example)", pattern: "^/[!-~]*$",
            parse: { (text) throws(Fault) in
                let isPath = text.utf8.first == UInt8(ascii: "/")
                guard isPath, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x23 })
                else { throw Fault("\(text.quoted) is not a path", "write one such as \(example)") }
                return text
            }, write: { $0 })
    }
}
