// The workers of the policies in which every key is given.

@testable import Policy

extension FullPolicy {
    static let workerLines =
        [
            "address: unix:/run/penstock-workers.sock", "mode: \"0640\"", "owner: \"2\"",
            "group: root",
        ] + tlsLines

    static var expectedWorkers: WorkerSettings {
        var access = SocketAccess(mode: 0o640)
        access.owner = Account(name: "2", number: 2)
        access.group = Account(name: "root", number: 0)
        var workers = WorkerSettings(
            listen: ListenSettings(
                .unix(path: "/run/penstock-workers.sock"), access: access, tls: listenerTLS),
            keysFile: "workers.keys")
        workers.maxConnections = 1081
        return workers
    }

    static var expectedPoolWorkers: PoolWorkers {
        var workers = PoolWorkers()
        workers.max = 82
        workers.maxCredits = 83
        return workers
    }
}
