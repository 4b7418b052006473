// Asks the gateway's own table of routes about a request, without a gateway around it.

import Bytes
import HTTP1
import Inference
import Policy

@testable import Gateway

extension RouteTable {
    private func head(_ request: String) throws -> RequestHead {
        var parser = RequestParser(limits: HeadLimits())
        var input = ByteBuffer()
        input.append("\(request) HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try parser.next(in: input)
        return parser.head
    }

    /// The routes that `METHOD PATH` may take, whatever its model.
    func candidates(_ request: String) throws -> [Int] { candidates(try head(request)) }

    /// Whether `METHOD PATH` may take some route, with the model that its path names or with any.
    func takes(_ request: String) throws -> Bool {
        let head = try head(request)
        let path = head.span(head.path)
        guard let range = ModelPath.range(in: path) else { return !candidates(head).isEmpty }
        var name: [UInt8] = []
        guard ModelPath.decode(path.extracting(range), into: &name) else { return false }
        if case .route = match(head, named: name) { return true }
        return false
    }
}
