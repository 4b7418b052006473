// What an engine remembers of prompts: the shared beginnings, and behind each what follows of single
// conversations and requests. What no running request uses goes first that was used longest ago; a
// beginning is used whenever something behind it is, so that leaves go before what they hang on.

/// An engine's memory for keys and values of tokens, which keeps those of prompts that may come again.
struct PrefixCache {
    /// The share of the memory that running requests may take.
    private static let mostInUse = 0.95

    private struct Node {
        var key: UInt64
        var tokens = 0
        /// Running requests that need it.
        var users = 0
        /// Neighbours in the order of use, -1 at the ends; meaningless while somebody uses it.
        var earlier: Int32 = -1
        var later: Int32 = -1
    }

    private var nodes: [Node] = []
    private var vacant: [Int32] = []
    private var byKey: [UInt64: Int32] = [:]
    private var oldest: Int32 = -1
    private var newest: Int32 = -1
    /// Tokens of all nodes, and of those that somebody uses.
    private(set) var tokens = 0
    private(set) var tokensInUse = 0

    /// Whether a request fits beside those that run, into a memory of so many tokens.
    func hasRoom(for prompt: Prompt, answerTokens: Int, memory: Int) -> Bool {
        var more = prompt.historyTokens + prompt.newTokens + answerTokens
        if let shared = byKey[prompt.sharedKey], nodes[Int(shared)].users > 0 {
            // Somebody holds it already.
        } else {
            more += prompt.sharedTokens
        }
        return Double(tokensInUse + more) <= Self.mostInUse * Double(memory)
    }

    /// Takes in a request that begins to run; how many tokens of its prompt were there already.
    mutating func enter(_ prompt: Prompt, answerTokens: Int, memory: Int) -> Int {
        var found = 0
        var isWhole = true
        if prompt.sharedTokens > 0 {
            let node = use(prompt.sharedKey)
            found = min(nodes[node].tokens, prompt.sharedTokens)
            isWhole = found == prompt.sharedTokens
            grow(node, to: prompt.sharedTokens)
        }
        let node = use(prompt.ownKey)
        if isWhole { found += min(nodes[node].tokens, prompt.historyTokens) }
        grow(node, to: prompt.historyTokens + prompt.newTokens + answerTokens)
        while tokens > memory, oldest >= 0 { forget(oldest) }
        return found
    }

    /// A request runs no more; what it has not come to compute is not there either.
    mutating func leave(_ prompt: Prompt, isComputed: Bool) {
        release(prompt.ownKey, isKept: isComputed)
        if prompt.sharedTokens > 0 { release(prompt.sharedKey, isKept: true) }
    }

    private mutating func use(_ key: UInt64) -> Int {
        if let node = byKey[key] {
            if nodes[Int(node)].users == 0 {
                unlink(node)
                tokensInUse += nodes[Int(node)].tokens
            }
            nodes[Int(node)].users += 1
            return Int(node)
        }
        let node = vacant.popLast() ?? Int32(nodes.count)
        if Int(node) == nodes.count { nodes.append(Node(key: key)) }
        nodes[Int(node)] = Node(key: key, users: 1)
        byKey[key] = node
        return Int(node)
    }

    private mutating func grow(_ node: Int, to size: Int) {
        let more = max(0, size - nodes[node].tokens)
        nodes[node].tokens += more
        tokens += more
        tokensInUse += more
    }

    private mutating func release(_ key: UInt64, isKept: Bool) {
        guard let node = byKey[key] else { return }
        nodes[Int(node)].users -= 1
        guard nodes[Int(node)].users == 0 else { return }
        tokensInUse -= nodes[Int(node)].tokens
        nodes[Int(node)].earlier = newest
        nodes[Int(node)].later = -1
        if newest >= 0 { nodes[Int(newest)].later = node } else { oldest = node }
        newest = node
        if !isKept { forget(node) }
    }

    private mutating func forget(_ node: Int32) {
        unlink(node)
        tokens -= nodes[Int(node)].tokens
        byKey[nodes[Int(node)].key] = nil
        vacant.append(node)
    }

    private mutating func unlink(_ node: Int32) {
        let (earlier, later) = (nodes[Int(node)].earlier, nodes[Int(node)].later)
        if earlier >= 0 { nodes[Int(earlier)].later = later } else { oldest = later }
        if later >= 0 { nodes[Int(later)].earlier = earlier } else { newest = earlier }
    }
}
