// Whether the process could listen somewhere, found out without taking a single client.

internal import Glibc
package import Policy

extension ListeningSocket {
    /// Why the process may not listen as `settings` say; nil where it may.
    ///
    /// An address that is in use counts as one that may be had: mostly it is a running gateway's. For a unix
    /// socket another one is made beside it for a moment, as `.penstock-PID`.
    package static func fault(_ settings: ListenSettings) -> SystemError? {
        let attempt = "listen on \(settings.address.text)"
        do throws(SystemError) {
            switch settings.address {
            case .tcp(let host, let port): _ = try bindTCP(host: host, port: port, .trial)
            case .unix(let path):
                try SocketFile.refuseOthers(at: path, for: attempt)
                let trial = "\(folder(of: path)).penstock-\(getpid())"
                // There is no shorter name for it.
                guard trial.utf8.count <= 107 else { return nil }
                _ = try ListeningSocket(.unix(path: trial), access: settings.access)
            }
            return nil
        } catch {
            guard error.code != EADDRINUSE else { return nil }
            var error = error
            error.attempt = attempt
            return error
        }
    }

    /// The folder of a file, with the slash behind it.
    private static func folder(of path: String) -> Substring {
        path.lastIndex(of: "/").map { path[...$0] } ?? ""
    }
}
