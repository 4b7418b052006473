// The words of the command line: what they set, and what is said of those that set nothing.

import Testing

@testable import penstock

@Suite struct ArgumentReaderTests {
    @Test(arguments: [
        ["--policy", "a.yaml", "--seed", "7"], ["-p", "a.yaml", "--seed=7"],
        ["--policy=a.yaml", "--seed", "3", "--seed", "7"],
    ])
    func optionsAreTakenInEitherForm(words: [String]) throws {
        let command = try ArgumentReader<ServeCommand>.read(words[...])
        #expect(command.policy == "a.yaml" && command.seed == 7)
    }

    @Test func whatIsLeftOutHasItsDefault() throws {
        let command = try ArgumentReader<DemoCommand>.read(["--load", "0.5", "--algorithm=fixed"])
        #expect(command.load == 0.5 && command.algorithm == .fixed)
        #expect(command.seconds == 30 && command.seed == 1 && command.limit == nil)
        #expect(try ArgumentReader<ServeCommand>.read(["-p", "a"]).seed == nil)
    }

    @Test func argumentsStandAmongOptionsAndBehindTwoHyphens() throws {
        let words = ["a", "--dump", "-", "--", "--dump", "--"]
        let command = try ArgumentReader<CheckCommand>.read(words[...])
        #expect(command.files == ["a", "-", "--dump", "--"] && command.dump)
    }

    @Test(arguments: [
        ([], "Missing expected argument '--policy <file>'"),
        (["--polcy", "a"], "Unknown option '--polcy'. Did you mean '--policy'?"),
        (["-x"], "Unknown option '-x'"),
        (["--policy"], "Missing value for '--policy <file>'"),
        (["-p", "--seed", "1"], "Missing value for '-p <file>'"),
        (["-p", "a", "b"], "Unexpected argument 'b'"),
        (["-p", "a", "--seed", "-1"], "The value '-1' is invalid for '--seed <number>'"),
        (["-p", "a", "--seed="], "The value '' is invalid for '--seed <number>'"),
    ])
    func faultsNameTheWord(words: [String], text: String) {
        let error = #expect(throws: ValidationError.self) {
            try ArgumentReader<ServeCommand>.read(words[...])
        }
        #expect(error?.text == text)
    }

    @Test func aFlagHasNoValueAndAPlaceOneWord() {
        #expect(throws: ValidationError.self) {
            try ArgumentReader<CheckCommand>.read(["--dump=yes", "a"])
        }
        #expect(throws: ValidationError.self) { try ArgumentReader<CheckCommand>.read([]) }
        #expect(throws: ValidationError.self) {
            try ArgumentReader<KeyNewCommand>.read(["a", "b"])
        }
        #expect(throws: ValidationError.self) {
            try ArgumentReader<DemoCommand>.read(["--algorithm", "fixd"])
        }
    }

    @Test func faultsEndWithTheStatusOfMisuse() {
        var parser = CommandParser(version: "0")
        for words in [
            ["bogus"], ["serve"], ["key", "bogus"], ["--bogus"], ["demo", "--load", "50"],
            ["help", "bogus"], ["help", "key", "bogus"], ["bogus", "--help"], ["--", "bogus"],
        ] {
            #expect(parser.run(Penstock.self, words) == 64, "\(words)")
        }
        #expect(parser.run(Penstock.self, ["check", "/nonexistent/policy.yaml"]) == 1)
        for words in [
            [], ["--"], ["help"], ["help", "key"], ["key", "--"], ["help", "key", "new"],
        ] {
            #expect(parser.run(Penstock.self, words) == 0, "\(words)")
        }
    }
}
