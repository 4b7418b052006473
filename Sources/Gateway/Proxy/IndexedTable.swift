// Objects that come and go often, in no order. Each knows its index, so that leaving costs a swap.

/// What an `IndexedTable` can hold.
protocol TableMember: AnyObject {
    /// Where the table keeps it, -1 for nowhere.
    var tableIndex: Int { get set }
}

/// A set of objects.
struct IndexedTable<Member: TableMember> {
    private var members: [Member] = []

    /// How many there are.
    var count: Int { members.count }

    mutating func insert(_ member: Member) {
        member.tableIndex = members.count
        members.append(member)
    }

    /// Takes a member out; one that is not there is left alone.
    mutating func remove(_ member: Member) {
        let index = member.tableIndex
        guard index >= 0 else { return }
        member.tableIndex = -1
        let last = members.removeLast()
        if last !== member {
            members[index] = last
            last.tableIndex = index
        }
    }

    /// The members that are there now, as a list that stays when some of them leave.
    var all: [Member] { members }
}
