// What Kubernetes puts into a container so that it can ask the API server: whom to trust, who one is, and where. The
// kubelet writes the token anew before it ends, so the files are read for each question, on a thread of their own.

internal import Policy
internal import Reactor

/// A service account, as its folder has it.
struct ServiceAccount: Sendable {
    /// Why an account cannot be used.
    struct Fault: Error {
        /// What is wrong, and where.
        let text: String
    }

    /// The namespace of the Service.
    let namespace: String
    /// What says who asks; nil where nobody may hear it.
    let token: String?
    /// Whom to trust; nil where there is no TLS.
    let credentials: TLSCredentials?

    /// Bytes of a token.
    private static let mostTokenBytes = 16 << 10

    /// Reads what `settings` need of an account, to ask with TLS or without; what is trusted is that of `known` where
    /// it has not changed.
    static func read(
        _ settings: KubernetesDiscovery, isSecure: Bool, known: TLSCredentials?
    ) throws(Fault) -> ServiceAccount {
        let folder = settings.account
        var namespace = settings.namespace ?? ""
        if settings.namespace == nil {
            namespace = try text("\(folder)/namespace", atMost: 64)
            guard KubernetesDiscovery.isLabel(namespace) else {
                throw Fault(text: "\(folder)/namespace holds no name; write namespace: NAME")
            }
        }
        guard isSecure else {
            return ServiceAccount(namespace: namespace, token: nil, credentials: nil)
        }
        let token = try text("\(folder)/token", atMost: mostTokenBytes)
        // It becomes a part of a field's value.
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Fault(text: "\(folder)/token holds no token")
        }
        var tls = TLSSettings()
        tls.authorityFile = "\(folder)/ca.crt"
        do throws(TLSFaults) {
            let credentials = try TLSCredentials.load(tls, unlessIn: known)
            return ServiceAccount(namespace: namespace, token: token, credentials: credentials)
        } catch {
            throw Fault(text: error.all[0].error.description)
        }
    }

    private static func text(_ path: String, atMost most: Int) throws(Fault) -> String {
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            // The kubelet says who may read it, not the operator: nothing is asked of its mode.
            bytes = try TextFile.bytes(path: path, atMost: most + 1)
        } catch {
            throw Fault(text: "\(path) cannot be read: \(error)")
        }
        guard bytes.count <= most else {
            throw Fault(text: "\(path) has more than \(most) bytes")
        }
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x0a || byte == 0x0d }
        let end = bytes.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? 0
        return String(decoding: bytes[..<end].drop(while: isSpace), as: UTF8.self)
    }
}
