// `penstock key`: API keys for the keys files of policies.

import Gateway
import Policy

/// Makes API keys.
struct KeyCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make API keys for tenants.",
        subcommands: [KeyNewCommand.self])
}

/// Makes one API key.
struct KeyNewCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make an API key and print the line for the keys file.",
        discussion: """
            The line goes to standard output and has no more than the key's SHA-256; the key itself goes to standard \
            error, once, and is kept nowhere:

              penstock key new acme >> /etc/penstock/penstock.keys
            """)

    static var parameters: [Parameter<Self>] {
        [
            .argument(
                "tenant", \.tenant,
                "The tenant whose key it is, by its name in the policy or any other.")
        ]
    }

    var tenant = ""

    func validate() throws {
        guard KeysFile.isTenantName(tenant) else {
            throw ValidationError(
                "a tenant's name is 1 to 64 visible characters of ASCII, no spaces, no # in front")
        }
    }

    func run() throws {
        let key = KeyNewCommand.makeKey()
        guard let digest = KeyDigest(of: key.utf8.span) else { throw ExitCode.failure }
        var standardError = StandardError()
        print("The key, which is shown only now: \(key)", to: &standardError)
        print(KeysFile.line(tenant: tenant, digest: digest.hexadecimal))
    }

    /// 256 bits of the system's randomness behind a prefix that scanners for lost secrets can find.
    private static func makeKey() -> String {
        var system = SystemRandomNumberGenerator()
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        let alphabet = Array("\(letters)0123456789-_".utf8)
        // 43 digits of 6 bits.
        let digits = (0..<43).map { _ in alphabet[Int(system.next() & 63)] }
        return "penstock-" + String(decoding: digits, as: UTF8.self)
    }
}
