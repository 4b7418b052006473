// The control socket of the policies in which every key is given.

@testable import Policy

extension FullPolicy {
    static let controlLines = [
        "address: unix:/run/penstock-control.sock", "mode: \"0620\"", "owner: \"2\"", "group: root",
    ]

    static var expectedControl: ListenSettings {
        var access = SocketAccess(mode: 0o620)
        access.owner = Account(name: "2", number: 2)
        access.group = Account(name: "root", number: 0)
        return ListenSettings(.unix(path: "/run/penstock-control.sock"), access: access)
    }
}
