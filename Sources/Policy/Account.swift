// A user or a group that a policy names. The name is looked up when the policy is read, so that one
// that this machine does not know is a fault of the policy, with its line.

internal import CShims
internal import Glibc

/// A user or a group of this machine.
package struct Account: Hashable, Sendable {
    /// The name or the number, as the policy has it.
    package var name: String
    /// The number, 0..4,294,967,294.
    package var number: UInt32

    /// An account of which both are known.
    package init(name: String, number: UInt32) {
        self.name = name
        self.number = number
    }

    /// Whose name it is.
    enum Sort: String, Sendable {
        case user
        case group
    }

    /// The account called `text`, or that of the number which it is.
    static func parse(_ text: String, _ sort: Sort) throws(Fault) -> Account {
        let remedy = "write a \(sort.rawValue)'s name or number"
        if !text.isEmpty, text.allSatisfy(\.isASCIIDigit) {
            // The last number means "no change" to the kernel, chown(2).
            guard let number = UInt32(text), number < .max else {
                throw Fault("\(text) is not the number of a \(sort.rawValue)", remedy)
            }
            return Account(name: text, number: number)
        }
        let scalars = text.unicodeScalars
        guard !text.isEmpty,
            !scalars.contains(where: { $0.value <= 0x20 || $0 == ":" || $0 == "/" })
        else { throw Fault("\(text.quoted) is not the name of a \(sort.rawValue)", remedy) }
        // The name is lent as a string of C's for the call.
        let found =
            switch sort {
            case .user: unsafe penstock_user_number(text)
            case .group: unsafe penstock_group_number(text)
            }
        if let number = UInt32(exactly: found) { return Account(name: text, number: number) }
        guard found < -1 else {
            throw Fault("this machine has no \(sort.rawValue) \(text.quoted)", remedy)
        }
        // The C library returns a text for every number, which lasts until this thread asks again.
        let reason = unsafe String(cString: strerror(Int32(-1 - found)))
        throw Fault(
            "the \(sort.rawValue) \(text.quoted) cannot be looked up: \(reason)",
            "write the \(sort.rawValue)'s number")
    }
}

extension Kind<Account> {
    /// A user or a group, by name or number.
    static func account(_ sort: Account.Sort) -> Kind {
        .text(
            "a \(sort.rawValue)'s name or number", pattern: "^[^\\s:/]+$",
            parse: { (text) throws(Fault) in try Account.parse(text, sort) }, write: { $0.name })
    }
}
