// `penstock key`: API keys for the keys files of policies.

import Gateway
import Policy

/// Makes API keys.
struct KeyCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make keys for tenants and workers.",
        subcommands: [KeyNewCommand.self])
}

/// Makes one API key.
struct KeyNewCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a key and print the line for the keys file.",
        discussion: """
            The line goes to standard output and has no more than the key's SHA-256; the key itself goes to standard \
            error, once, and is kept nowhere:

              penstock key new acme >> /etc/penstock/penstock.keys

            With --worker it is a worker's key, for the pool of that name or for several with commas between them:

              penstock key new --worker chat >> /etc/penstock/workers.keys
            """)

    static var parameters: [Parameter<Self>] {
        [
            .argument(
                "tenant", \.tenant,
                "The tenant whose key it is, by its name in the policy or any other; or pools."),
            .flag("--worker", \.isForWorker, "Make the key of a worker."),
        ]
    }

    var tenant = ""
    var isForWorker = false

    func validate() throws {
        guard KeysFile.isTenantName(tenant) else {
            throw ValidationError(
                "a tenant's name is 1 to 64 visible characters of ASCII, no spaces, no # in front")
        }
        guard !isForWorker || KeysFile.arePoolNames(tenant) else {
            throw ValidationError(
                "a worker's key is for a pool, or for several with commas between their names")
        }
    }

    func run() throws {
        let key = KeyNewCommand.makeKey(isForWorker ? "pw_" : "penstock-")
        guard let digest = KeyDigest(of: key.utf8.span) else { throw ExitCode.failure }
        var standardError = StandardError()
        print("The key, which is shown only now: \(key)", to: &standardError)
        print(KeysFile.line(tenant: tenant, digest: digest.hexadecimal))
    }

    /// 256 bits of the system's randomness behind a prefix that scanners for lost secrets can find.
    private static func makeKey(_ prefix: String) -> String {
        var system = SystemRandomNumberGenerator()
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        let alphabet = Array("\(letters)0123456789-_".utf8)
        // 43 digits of 6 bits.
        let digits = (0..<43).map { _ in alphabet[Int(system.next() & 63)] }
        return prefix + String(decoding: digits, as: UTF8.self)
    }
}
