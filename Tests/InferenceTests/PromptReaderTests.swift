// What is read of prompts: which requests begin alike, and up to where.

import Testing

@testable import Inference

@Suite struct PromptReaderTests {
    private struct Place: Equatable {
        var key: UInt64
        var bytes: Int
    }

    private struct Prompt {
        var places: [Place] = []
        var bytes = 0

        /// The longest beginning that another one has as well, in bytes.
        func common(with other: Prompt) -> Int {
            let keys = Set(other.places.map(\.key))
            return places.last { keys.contains($0.key) }?.bytes ?? 0
        }
    }

    private func read(_ text: String, rest: Int = 0, apart: UInt64 = 0) -> Prompt {
        var reader = PromptReader()
        return read(text, rest: rest, apart: apart, by: &reader)
    }

    private func read(
        _ text: String, rest: Int = 0, apart: UInt64 = 0, by reader: inout PromptReader
    ) -> Prompt {
        var prompt = Prompt()
        prompt.bytes = reader.read(Array(text.utf8).span, restBytes: rest, apart: apart) {
            prompt.places.append(Place(key: $0, bytes: $1))
        }
        return prompt
    }

    private func message(_ role: String, _ text: String) -> String {
        "{\"role\":\"\(role)\",\"content\":\"\(text)\"}"
    }

    private func chat(_ messages: String..., more: String = "") -> String {
        "{\"model\":\"m\",\"messages\":[\(messages.joined(separator: ","))]\(more)}"
    }

    private func words(_ count: Int, _ word: String = "word") -> String {
        (0..<count).map { "\(word)\($0)" }.joined(separator: " ")
    }

    @Test func aConversationThatGoesOnHasItsEarlierPromptInCommon() {
        let system = message("system", words(50))
        let first = message("user", "What is it?")
        let answer = message("assistant", "This and that.")
        let one = read(chat(system, first))
        let two = read(chat(system, first, answer, message("user", "And then?")))
        #expect(one.bytes > 0 && two.common(with: one) == one.bytes)
        // Another question after the same instructions has these in common.
        let other = read(chat(system, message("user", "Why?")))
        let instructions = "system".utf8.count + words(50).utf8.count
        #expect(other.common(with: one) == instructions)
        // Another model is another cache, and so is one with another salt.
        let model = read(chat(system, first).replacing("\"m\"", with: "\"n\""))
        #expect(model.common(with: one) == 0)
        #expect(read(chat(system, first, more: ",\"cache_salt\":\"s\"")).common(with: one) == 0)
        #expect(read(chat(system, first), apart: 7).common(with: one) == 0)
        // What has nothing to do with the prompt changes nothing.
        let hot = read(
            chat(system, first, more: ",\"temperature\":0.5,\"user\":\"u\",\"stream\":true"))
        #expect(hot.places == one.places)
    }

    @Test func howItIsWrittenDoesNotMatter() {
        let one = read(chat(message("user", "Hello there")))
        let spaced = read(
            "{ \"messages\" : [ { \"role\" : \"user\", \"content\" : \"Hello there\" } ] , \"model\":\"m\"}"
        )
        #expect(spaced.places == one.places)
        let parts = read(
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                + "[{\"type\":\"text\",\"text\":\"Hello there\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]}"
        )
        #expect(parts.places == one.places)
        // The negative controls: another role, another text, a picture.
        #expect(read(chat(message("system", "Hello there"))).common(with: one) == 0)
        #expect(read(chat(message("user", "Hello ther"))).common(with: one) == 0)
        #expect(
            read(
                "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                    + "[{\"type\":\"image\",\"text\":\"Hello there\"}]}]}"
            ).common(with: one) == 0)
        #expect(
            read("{\"model\":\"m\",\"prompt\":\"ab\"}").places
                != read("{\"model\":\"m\",\"prompt\":\"a\"}").places)
    }

    @Test func toolsStandBeforeTheMessagesWhereverTheyAreWritten() {
        let tools = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"
        let user = message("user", "Hello")
        let behind = read("{\"model\":\"m\",\"messages\":[\(user)],\(tools)}")
        let ahead = read("{\(tools),\"messages\":[\(user)],\"model\":\"m\"}")
        #expect(behind.places == ahead.places && behind.places.count == 2)
        let other = read("{\(tools),\"messages\":[\(message("user", "Bye"))],\"model\":\"m\"}")
        #expect(other.common(with: ahead) == "functionf".utf8.count)
        let changed = tools.replacing("\"f\"", with: "\"g\"")
        #expect(
            read("{\(changed),\"messages\":[\(user)],\"model\":\"m\"}").common(with: ahead) == 0)
        // Anthropic's instructions stand beside the messages.
        let system = "{\"model\":\"m\",\"system\":\"Be kind.\",\"messages\":[\(user)]}"
        #expect(read(system).common(with: read(system.replacing("Hello", with: "Bye"))) == 8)
    }

    @Test func longTextsHavePlacesWithin() {
        let text = words(4_000)
        let one = read("{\"prompt\":\"\(text) one\"}")
        let two = read("{\"prompt\":\"\(text) two\"}")
        let common = two.common(with: one)
        #expect(common < text.utf8.count && common > text.utf8.count * 7 / 10)
        #expect(zip(one.places, one.places.dropFirst()).allSatisfy { $0.bytes < $1.bytes })
        #expect(one.places.count <= 30)
        // A prompt that is the beginning of another one ends where that has no place.
        let short = read("{\"prompt\":\"\(text)\"}")
        #expect(short.places.dropLast() == one.places.dropLast())
        // Token ids are four bytes each.
        let tokens = (0..<3_000).map(String.init).joined(separator: ",")
        let numbers = read("{\"prompt\":[\(tokens)]}")
        #expect(numbers.bytes == 12_000 && numbers.places.count > 8)
        #expect(
            read("{\"prompt\":[\(tokens),9]}").common(with: numbers) == 12_000
                || numbers.places.count > 8)
    }

    @Test func whatIsNotThereYetIsOnlyCounted() {
        let text = words(4_000)
        let whole = read(chat(message("user", text)))
        let body = chat(message("user", text))
        let cut = read(String(body.prefix(10_000)), rest: body.utf8.count - 10_000)
        #expect(cut.bytes > 0 && !cut.places.isEmpty)
        let keys = Set(whole.places.map(\.key))
        #expect(cut.places.allSatisfy { keys.contains($0.key) })
        // Nor is what lies beyond what is read.
        let long = chat(message("user", words(40_000)))
        let read = self.read(long)
        #expect(read.places.last?.bytes ?? .max <= PromptReader.mostBytes)
        #expect(abs(read.bytes - long.utf8.count) < 100)
    }

    @Test func manyMessagesKeepFewPlaces() {
        var messages: [String] = []
        for index in 0..<300 {
            messages.append(message(index % 2 == 0 ? "user" : "assistant", words(20, "w\(index)x")))
        }
        let later = messages.joined(separator: ",")
        let now = messages.dropLast(2).joined(separator: ",")
        let one = read(chat(now))
        let two = read(chat(later))
        #expect(one.places.count <= 48 && two.places.count <= 48)
        #expect(two.common(with: one) == one.bytes)
        #expect(one.places.map(\.bytes) == one.places.map(\.bytes).sorted())
    }

    @Test(
        arguments: [
            "", "{", "[]", "{\"messages\":[]}", "{\"model\":\"m\"}",
            "{\"messages\":[{\"content\":\"a\"}", "hello",
            "{\"prompt\":\"a\"x}", "{\"prompt\":\"a\" \"b\"}", "\u{feff}{\"prompt\":\"a\"}",
            "{\"cache_control\":{\"a\":[1]}}", "{\"messages\":{\"cache_control\":[[[]]]}}",
        ])
    func whatIsNoPromptHasNoPlaces(text: String) {
        let prompt = read(text)
        #expect(prompt.bytes == 0 && prompt.places.isEmpty || text.contains("content"))
    }

    /// One reader for one request after another finds what a new one would, after whatever it read before.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func aReaderIsUsedAgain(seed: UInt64) {
        var state = seed
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var reader = PromptReader()
        let pieces = [
            "{", "}", "[", "]", "\"", ",", ":", "\\", "messages", "\"prompt\":", "cache_control",
            "1", "true",
        ]
        for _ in 0..<300 {
            let garbage = (0..<next(40)).map { _ in pieces[next(pieces.count)] }.joined()
            _ = read(garbage, by: &reader)
            let good = chat(message("user", words(next(400))))
            let cut = String(good.prefix(next(good.utf8.count) + 1))
            #expect(read(cut, by: &reader).places == read(cut).places, "seed \(seed)")
        }
    }
}
