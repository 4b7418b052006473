// The listeners that an input chooses among, with certificates that are made when the fuzzer starts.

import FuzzSupport
import Glibc

@testable import Policy
@testable import Reactor

/// How TLS is spoken where a client comes.
struct Listener {
    /// What the policy would say.
    let settings: ListenerTLS
    /// What is shown.
    let credentials: ServerCredentials

    /// All that differ in what a client meets.
    static let all: [Listener] = {
        var all: [Listener] = []
        for certificate in ListenerTLS.ClientCertificate.allCases {
            for version in ListenerTLS.Version.allCases {
                for isStrict in [false, true] {
                    var settings = ListenerTLS()
                    settings.certificates = [
                        Files.pair("a"), Files.pair("b"),
                    ]
                    settings.clientCertificate = certificate
                    settings.clientAuthorityFile = certificate == .off ? nil : Files.path("own.pem")
                    settings.minVersion = version
                    settings.isNameStrict = isStrict
                    // One in two, without a further dimension.
                    settings.ticketRotation = all.count % 2 == 0 ? .seconds(3600) : nil
                    all.append(Listener(settings))
                }
            }
        }
        Files.remove()
        return all
    }()

    private init(_ settings: ListenerTLS) {
        self.settings = settings
        do throws(TLSFaults) {
            credentials = try ServerCredentials.load(settings)
        } catch {
            fatalError("no certificates: \(error); openssl makes them")
        }
    }

    /// Whether a client that nobody meddles with gets a connection.
    func welcomes(_ manner: Client.Manner) -> Bool {
        !(manner.contains(.isOld) && settings.minVersion == .tls13)
            && !(manner.contains(.speaksHTTP2) && !manner.contains(.speaksHTTP1))
            && !(manner.contains(.namesAnother) && settings.isNameStrict)
            && (settings.clientCertificate != .require || manner.contains(.hasCertificate))
    }
}

/// Files of certificates, in a folder that is there while they are read.
enum Files {
    private static let folder: String = {
        let path = "/tmp/penstock-fuzz-\(getpid())"
        let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650"
        let commands = [
            ("a", "-newkey rsa:2048 -nodes -days 3650", "DNS:a.example,DNS:*.wild.example"),
            ("b", curve, "DNS:b.example"),
            ("own", curve, "DNS:client.example,URI:spiffe://example/client"),
        ].map { name, key, names in
            "openssl req -x509 \(key) -subj /CN=\(name) -addext subjectAltName=\(names)"
                + " -keyout \(path)/\(name).key -out \(path)/\(name).pem 2>/dev/null"
        }
        let line = (["mkdir \(path)"] + commands).joined(separator: " && ")
        require(unsafe system(line) == 0, "openssl makes no certificates")
        return path
    }()

    /// The path of a file.
    static func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// A certificate with its key.
    static func pair(_ name: String) -> ListenerTLS.Certificate {
        ListenerTLS.Certificate(certificateFile: path("\(name).pem"), keyFile: path("\(name).key"))
    }

    /// Removes the folder; the client has its certificate by then.
    static func remove() {
        Client.prepare(path("own.pem"), path("own.key"))
        _ = unsafe system("rm -r \(folder)")
    }
}
