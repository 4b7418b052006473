// Texts that are nobody's business, such as the key of a hosted API: they are read when the policy is, from a file or
// from the environment, and nothing writes them down.

/// A text that descriptions and dumps leave out.
package struct Secret: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    /// What it says.
    package var bytes: [UInt8] = []

    /// One that says nothing, or `bytes`.
    package init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    /// Nothing of what it says.
    package var description: String { bytes.isEmpty ? "none" : "(secret)" }

    /// The same for debuggers.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Reads secrets, with what is wrong with them; no fault shows what one says.
enum SecretReader {
    /// Bytes of the longest one.
    static let maxBytes = 4096

    /// The secret in the file at `path`, without the white space around it.
    static func secret(file path: String) throws(Fault) -> Secret {
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            bytes = try TextFile.bytes(path: path, atMost: maxBytes + 3, being: .secret)
        } catch {
            throw error.fault(of: "\(path) ")
        }
        return try secret(bytes, in: path, remedy: "write it into the file, and nothing else")
    }

    /// The secret in the variable called `name` of the process's environment.
    static func secret(variable name: String) throws(Fault) -> Secret {
        guard let text = ProcessEnvironment.variable(name) else {
            throw Fault("the variable \(name) is not set", "set it where the process is started")
        }
        return try secret(
            Array(text.utf8), in: "the variable \(name)", remedy: "set it to the secret alone")
    }

    private static func secret(
        _ read: [UInt8], in place: String, remedy: String
    ) throws(Fault) -> Secret {
        let bytes = SecretFile.trimmed(read)
        guard !bytes.isEmpty else { throw Fault("\(place) is empty", remedy) }
        guard bytes.count <= maxBytes else {
            throw Fault("\(place) has more than \(maxBytes) bytes", remedy)
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw Fault("\(place) has a line break or another control character", remedy)
        }
        return Secret(bytes)
    }
}

extension Policy {
    /// Reads what fields are to be set to that does not stand in the policy at `file`; returns what is wrong there.
    mutating func fillSecrets(besides file: String) -> [PolicyFault] {
        var known: [String: Secret] = [:]
        var faults: [PolicyFault] = []
        for (path, value) in setFields {
            do throws(Fault) {
                if let named = value.file {
                    let place = KeysFile.resolved(named, besides: file)
                    if known[place] == nil { known[place] = try SecretReader.secret(file: place) }
                } else if let name = value.variable {
                    let secret = try SecretReader.secret(variable: name)
                    known["\(Policy.variableMark)\(name)"] = secret
                }
            } catch {
                let key = value.file == nil ? "env" : "file"
                faults.append(
                    PolicyFault(
                        path: "\(path).\(key)", problem: error.problem, remedy: error.remedy))
            }
        }
        updateSetFields { value in
            if let named = value.file {
                value.secret = known[KeysFile.resolved(named, besides: file)] ?? Secret()
            } else if let name = value.variable {
                value.secret = known["\(Policy.variableMark)\(name)"] ?? Secret()
            }
        }
        return faults
    }

    /// Keeps names of variables from being paths.
    private static let variableMark = "\0"
}
