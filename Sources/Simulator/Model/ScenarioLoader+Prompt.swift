// The `prompt` of a group of clients in a scenario file.

import Admission
import Policy

extension SettingsReader {
    /// What prompts are like, in tokens.
    mutating func prompt(_ node: SettingsNode) -> PromptModel? {
        let given = mapping(node, keys: ["shared", "kinds", "hot", "own", "turns", "think"])
        var prompt = PromptModel()
        let tokens = 0...10_000_000
        if let node = given["shared"], let count = integer(node, tokens) {
            prompt.sharedTokens = count
        }
        if let node = given["kinds"], let count = integer(node, 1...1_000_000) {
            prompt.kinds = count
        }
        if let node = given["hot"], let share = number(node, 0...1) { prompt.hotShare = share }
        if let node = given["own"], let count = integer(node, tokens) { prompt.ownTokens = count }
        if let node = given["turns"], let count = integer(node, 1...1_000) { prompt.turns = count }
        if let node = given["think"], let time = duration(node, ScenarioLoader.times) {
            prompt.thinkSeconds = time.inSeconds
        }
        if node.isMapping, prompt.sharedTokens + prompt.ownTokens == 0 {
            report(node, "has no token", "write shared, own or both, in tokens")
        }
        return prompt
    }
}
