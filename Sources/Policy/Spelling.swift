// Guesses which known word was meant by an unknown one.

/// Guesses at misspelt words.
package enum Spelling {
    /// `did you mean ...? ` for the nearest of `known`, empty when none is near.
    static func hint(_ word: String, among known: [String]) -> String {
        guard let meant = nearest(word, among: known) else { return "" }
        return "did you mean \(meant.quoted)? "
    }

    /// The known word with the fewest edits, at most a third of its length; the first of several.
    package static func nearest(_ word: String, among known: [String]) -> String? {
        // Nobody misspells a short word by that many characters; it also bounds the work.
        guard word.count <= 64 else { return nil }
        let folded = fold(word)
        let candidates = known.map {
            ($0, isShortened(folded, fold($0)) ? 1 : distance(folded, fold($0)))
        }
        .filter { $0.1 <= max(1, $0.0.count / 3) }
        return candidates.min { $0.1 < $1.1 }?.0
    }

    /// Whether one word is the other's beginning: `warn`, `warning`.
    private static func isShortened(_ left: [Character], _ right: [Character]) -> Bool {
        min(left.count, right.count) >= 3 && (left.starts(with: right) || right.starts(with: left))
    }

    /// Spelling without case and separators: `maxRequests` and `max-requests` are `max_requests`.
    private static func fold(_ word: String) -> [Character] {
        word.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " }.map(\.self)
    }

    /// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the
    /// other (optimal string alignment, a restricted Damerau-Levenshtein distance).
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var rows = [[Int](0...right.count)]
        for row in left.indices {
            var next = [row + 1]
            for column in right.indices {
                let isEqual = left[row] == right[column]
                var best = min(
                    rows[row][column + 1] + 1, next[column] + 1,
                    rows[row][column] + (isEqual ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1],
                    left[row - 1] == right[column]
                {
                    best = min(best, rows[row - 1][column - 1] + 1)
                }
                next.append(best)
            }
            rows.append(next)
        }
        return rows[left.count][right.count]
    }
}
