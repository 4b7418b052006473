// Fields that are passed on together against the same fields written one by one, and the texts with
// gaps.

import Bytes
import HTTP1
import Testing

@Suite struct FieldForwardingTests {
    /// A head's lines in the ways in which they may come.
    private func lines(_ random: inout SplitMix) -> String {
        let names = [
            "Date", "Accept", "X-Own", "Via", "Proxy-Connection", "Keep-Alive", "Content-Type",
            "Cookie",
            "Priority", "X-Forwarded-For", "traceparent", "x~tra",
        ]
        let separators = [": ", ": ", ": ", ":", ":\t", ":  "]
        let values = [
            "", "a", "value", "two words", "with\ttab", "é", "0123456789012345678901234567890",
            String(repeating: "long ", count: 60) + "end",
        ]
        let ends = ["\r\n", "\r\n", "\r\n", " \r\n", "\t\r\n"]
        return (0..<random.below(12)).map { _ in
            names[random.below(names.count)] + separators[random.below(separators.count)]
                + values[random.below(values.count)] + ends[random.below(ends.count)]
        }.joined()
    }

    private func someNames(_ random: inout SplitMix) -> [FieldName] {
        FieldName.allCases.filter { _ in random.below(5) == 0 }
    }

    /// Each returned line is passed over, as a caller does that writes it in another way.
    @Test(arguments: 1...200) func togetherIsAsOneByOne(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let lines = lines(&random)
        let (dropped, apart) = (someNames(&random), someNames(&random))

        var request = RequestParser(limits: HeadLimits())
        guard
            case .head = try request.next(
                in: Array("GET / HTTP/1.0\r\n\(lines)\r\n".utf8).span)
        else { return }
        var model = ByteBuffer()
        var noted = FieldNames()
        var stops: [Int] = []
        for (index, field) in request.head.fields.enumerated() {
            if !field.isHopByHop && apart.contains(field.known) {
                stops.append(index)
                continue
            }
            noted.insert(field.known)
            if field.isHopByHop || dropped.contains(field.known) { continue }
            model.appendField(
                name: request.head.name(of: field), value: request.head.value(of: field))
        }
        var written = ByteBuffer()
        var found: [Int] = []
        var from = 0
        while true {
            let index = written.appendFields(
                of: request.head, from: from, without: FieldNames(dropped),
                before: FieldNames(apart))
            if index == request.head.fields.count { break }
            found.append(index)
            from = index + 1
        }
        #expect(contents(of: written) == contents(of: model), "seed \(seed)")
        #expect(found == stops, "seed \(seed)")

        // And the same lines of an answer, behind its status line.
        let version = random.below(2)
        let phrase = ["", "OK", "with\ttab", "Not Found"][random.below(4)]
        var response = ResponseParser(limits: HeadLimits())
        response.begin(requestMethod: .get, mayBecomeWebSocket: false)
        let head = Array("HTTP/1.\(version) 200 \(phrase)\r\n\(lines)\r\n".utf8)
        guard case .head = try response.next(in: head.span) else { return }
        var seen = FieldNames()
        var answer = ByteBuffer()
        from = answer.appendStart(
            of: response.head, without: FieldNames(dropped), before: FieldNames(apart),
            noting: &seen)
        while from < response.head.fields.count {
            from = answer.appendFields(
                of: response.head, from: from + 1, without: FieldNames(dropped),
                before: FieldNames(apart), noting: &seen)
        }
        let shown = phrase.isEmpty ? "OK" : phrase
        #expect(
            contents(of: answer)
                == Array("HTTP/1.1 200 \(shown)\r\n".utf8) + contents(of: model), "seed \(seed)")
        #expect(seen == noted, "seed \(seed)")
    }

    @Test func everyNameHasAPlaceInASet() {
        let all = FieldNames(FieldName.allCases)
        for name in FieldName.allCases {
            #expect(all.contains(name))
            #expect(FieldName.allCases.filter { FieldNames([name]).contains($0) } == [name])
            #expect(!FieldNames().contains(name))
        }
    }

    @Test func requestLinesComeOutInOriginForm() throws {
        let template = HeadTemplate("", " HTTP/1.1\r\nHost: ", "\r\n")
        for (line, expected) in [
            ("GET /path?query HTTP/1.0", "GET /path?query"), ("BREW / HTTP/1.0", "BREW /"),
            ("POST http://other/path?query HTTP/1.0", "POST /path?query"),
            ("OPTIONS * HTTP/1.0", "OPTIONS *"),
        ] {
            var parser = RequestParser(limits: HeadLimits())
            guard case .head = try parser.next(in: Array("\(line)\r\n\r\n".utf8).span) else {
                Issue.record("\(line): no head")
                continue
            }
            for (host, shown) in [("h:80", "h:80"), ("h\r\nX: y", "h  X: y")] {
                var buffer = ByteBuffer()
                buffer.appendRequestLine(
                    of: parser.head, in: template, host: Array(host.utf8).span)
                #expect(
                    contents(of: buffer)
                        == Array("\(expected) HTTP/1.1\r\nHost: \(shown)\r\n".utf8))
            }
        }
    }

    /// Whatever the values in the gaps hold, there is no line that the template does not have.
    @Test func noByteOfAValueCanInjectALine() {
        let one = HeadTemplate("A: ", "\r\nB: b\r\n")
        let two = HeadTemplate("A: ", "\r\nB: ", "\r\n\r\n")
        for byte in UInt8.min...UInt8.max {
            for offset in [0, 1, 3, 7, 8, 15, 31, 32, 33, 63, 64, 300] {
                let run = [UInt8](repeating: 0x61, count: offset)
                let value = run + [byte] + Array("tail".utf8)
                let allowed = byte == 0x09 || (byte >= 0x20 && byte != 0x7f)
                let expected = run + [allowed ? byte : 0x20] + Array("tail".utf8)
                let (start, end) = (Array("A: ".utf8), Array("\r\nB: b\r\n".utf8))
                var buffer = ByteBuffer()
                buffer.append(one, value)
                #expect(contents(of: buffer) == start + expected + end)
                buffer.drop(1)
                buffer.append(two, value.span, value.span)
                #expect(
                    contents(of: buffer) == (start + expected + end).dropFirst() + start + expected
                        + Array("\r\nB: ".utf8) + expected + Array("\r\n\r\n".utf8))
            }
        }
    }

    @Test func numbersFillGaps() {
        let one = HeadTemplate("N: ", "\r\n")
        let three = HeadTemplate("N: ", ", ", "; ", "\r\n")
        var numbers = [0, 9, 10, 99, 100, 12_345, .max]
        numbers += (0..<18).map { (0..<$0).reduce(1) { power, _ in power * 10 } }
        for number in numbers {
            var buffer = ByteBuffer()
            buffer.append(one, decimal: number)
            buffer.append(three, decimals: number, 7, number)
            buffer.append(HeadTemplate("end"))
            #expect(
                contents(of: buffer)
                    == Array("N: \(number)\r\nN: \(number), 7; \(number)\r\nend".utf8))
        }
    }

    @Test func templatesHaveNoOtherControlsThanLineEnds() async {
        await #expect(processExitsWith: .failure) { _ = HeadTemplate("A: \n", "") }
        await #expect(processExitsWith: .failure) { _ = HeadTemplate("A: \r", "x") }
        await #expect(processExitsWith: .failure) { _ = HeadTemplate("A: \0") }
    }

    @Test func messagesHaveGapsForTextsAndNumbers() {
        var template = MessageTemplate()
        let pieces = ["Date: ", "\r\nid: ", "\r\n", ", ", ", ", "\r\n\r\nid "]
        let fillings: [MessageTemplate.Filling] = [
            .date, .requestID, .first, .second, .third, .requestID,
        ]
        for (piece, filling) in zip(pieces, fillings) {
            template.append(Array(piece.utf8).span)
            template.leave(filling)
        }
        template.append(Array("end".utf8).span)
        for (id, shown) in [("id", "id"), ("", ""), ("a\r\nb", "a  b"), ("t\tb", "t\tb")] {
            for date in ["now", "a much longer text than any number has digits"] {
                var buffer = ByteBuffer()
                buffer.append(7)
                buffer.append(
                    template, date: Array(date.utf8).span, requestID: Array(id.utf8), 1, 23, .max)
                let expected =
                    "Date: \(date)\r\nid: \(shown)\r\n1, 23, \(Int.max)\r\n\r\nid \(shown)end"
                #expect(contents(of: buffer) == [7] + Array(expected.utf8))
            }
        }
    }
}
