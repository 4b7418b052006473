// Files with certificates and keys, read once and made into what TLS needs; all that is wrong with them is noted, so
// that nobody mends one file after the other.

internal import Policy

/// Reads files in PEM, and notes what is wrong with them.
struct PEMFiles {
    /// What a file may have, in bytes: the system's authorities take a quarter of a MiB.
    static let mostBytes = 4 << 20

    /// Certificates of a chain.
    private static let mostOfChain = 16

    var faults = TLSFaults()

    /// A certificate with what leads from it to an authority, and its key.
    struct Identity {
        var chain: [Certificate]
        var key: PrivateKey
    }

    /// What a file holds; nothing where none is named or it cannot be read.
    mutating func read(_ file: String?, _ setting: TLSFaults.Setting) -> [UInt8] {
        guard let file else { return [] }
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            bytes = try TextFile.bytes(
                path: file, atMost: PEMFiles.mostBytes + 1,
                being: setting.isSecret ? .secret : .none)
        } catch {
            let fault =
                error.refusal.map {
                    SystemError("use \(file)", because: "\($0.problem); \($0.remedy)")
                } ?? SystemError("read \(file)", code: error.code)
            faults.note(setting, fault)
            return []
        }
        guard bytes.count <= PEMFiles.mostBytes else {
            faults.note(setting, SystemError("use \(file)", because: "it has more than 4 MiB"))
            return []
        }
        return bytes
    }

    /// The authorities of a file's text.
    mutating func authorities(
        _ text: [UInt8], of file: String, _ setting: TLSFaults.Setting
    ) -> [Certificate] {
        let (authorities, isDamaged) = PEM.certificates(in: text)
        if authorities.isEmpty {
            faults.note(setting, PEMFiles.holdsNothing(file))
        } else if isDamaged {
            faults.note(setting, PEMFiles.isDamaged(file, after: authorities.count))
        }
        return authorities
    }

    /// A certificate with what leads from it to an authority, and its key.
    mutating func identity(
        _ certificates: [UInt8], of file: String, _ setting: TLSFaults.Setting,
        key keyText: [UInt8], of keyFile: String, _ keySetting: TLSFaults.Setting
    ) -> Identity? {
        let (chain, isDamaged) = PEM.certificates(in: certificates)
        if !faults.isFaulty(setting) {
            if chain.isEmpty {
                faults.note(setting, PEMFiles.holdsNothing(file))
            } else if isDamaged {
                faults.note(setting, PEMFiles.isDamaged(file, after: chain.count))
            }
        }
        if faults.isFaulty(keySetting) { return nil }
        guard let key = PEM.key(in: keyText) else {
            let error = SystemError(
                "use \(keyFile)",
                because: "it holds no private key in PEM, or one with a password; give one without")
            faults.note(keySetting, error)
            return nil
        }
        guard let own = chain.first, !faults.isFaulty(setting) else { return nil }
        guard chain.count <= PEMFiles.mostOfChain else {
            let error = SystemError(
                "use \(file)",
                because:
                    "it has \(chain.count) certificates, and clients take \(PEMFiles.mostOfChain) at most"
            )
            faults.note(setting, error)
            return nil
        }
        guard own.isUsable else {
            let error = SystemError(
                "use \(file)", because: "TLS has no way to sign with its key; take P-256 or RSA")
            faults.note(setting, error)
            return nil
        }
        guard own.isOf(key) else {
            let error = SystemError(
                "use \(keyFile)", because: "it is not the key of the certificate in \(file)")
            faults.note(keySetting, error)
            return nil
        }
        return Identity(chain: chain, key: key)
    }

    private static func holdsNothing(_ file: String) -> SystemError {
        SystemError("use \(file)", because: "it holds no certificate in PEM")
    }

    private static func isDamaged(_ file: String, after count: Int) -> SystemError {
        SystemError("use \(file)", because: "the certificate after the first \(count) is damaged")
    }
}
