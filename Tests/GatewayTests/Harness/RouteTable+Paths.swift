// Asks the gateway's own table of routes about a request, without a gateway around it.

import Bytes
import HTTP1
import Inference
import Policy

@testable import Gateway

extension RouteTable {
    /// The head of `METHOD PATH`.
    static func head(_ request: String) throws -> RequestHead {
        var parser = RequestParser(limits: HeadLimits())
        var input = ByteBuffer()
        input.append("\(request) HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try parser.next(in: input)
        return parser.head.copy()
    }

    /// The routes that `METHOD PATH` may take, whatever its model.
    func candidates(_ request: String) throws -> [Int] { candidates(try Self.head(request)) }

    /// Whether a request may take some route, with the model that its path names or with any.
    ///
    /// What is refused before routes are looked at may not.
    func takes(_ head: borrowing RequestHead) -> Bool {
        let path = head.span(head.path)
        let names = ModelPath.range(in: path) ?? ModelList.nameRange(in: path)
        if PathSegments.areAmbiguous(in: path, names: names) { return false }
        guard let range = ModelPath.range(in: path) else { return !candidates(head).isEmpty }
        var name: [UInt8] = []
        guard ModelPath.decode(path.extracting(range), into: &name) else { return false }
        if case .route = match(head, named: name) { return true }
        return false
    }
}
