// Lists of models as servers write them.

import Testing

@testable import Inference

@Suite struct ModelListReaderTests {
    private func read(_ text: String) -> [ListedModel]? {
        ModelListReader.models(in: Array(text.utf8).span)
    }

    private func names(_ text: String) -> [String]? {
        read(text)?.map { String(decoding: $0.name, as: UTF8.self) }
    }

    private static let vllm = """
        {"object":"list","data":[{"id":"llama","object":"model","created":1763000000,"owned_by":"vllm",\
        "root":"/models/llama","parent":null,"max_model_len":131072,"permission":[{"id":"modelperm-1",\
        "object":"model_permission","created":1,"max_model_len":7,"is_blocking":false}]},\
        {"id":"org\\/lora\\u00e9","object":"model","created":2,"owned_by":"vllm","max_model_len":null}]}
        """

    private static let llamaServer = """
        {"models":[{"name":"x.gguf","model":"x.gguf","id":"not this one"}],"object":"list","data":
        [ {"id" : "x.gguf", "object":"model","created":1,"owned_by":"llamacpp",
           "meta":{"id":"nor this","n_ctx_train":8192,"created":9}} ] }
        """

    @Test func whatServersSayIsFound() throws {
        let models = try #require(read(Self.vllm))
        #expect(names(Self.vllm) == ["llama", "org/loraé"])
        #expect(models.map(\.maxModelLength) == [131_072, nil])
        #expect(models.map(\.created) == [1_763_000_000, 2])
        #expect(models[0].owner == Array("vllm".utf8))
        let other = try #require(read(Self.llamaServer))
        #expect(names(Self.llamaServer) == ["x.gguf"])
        #expect(other[0].created == 1 && other[0].maxModelLength == nil)
        // Ollama without a model.
        #expect(read("{\"object\":\"list\",\"data\":[]}") == [])
    }

    @Test(arguments: [
        "", "[]", "{}", "not JSON", "{\"data\":null}", "{\"data\":\"x\"}",
        "{\"data\":{\"id\":\"a\"}}",
        "{\"models\":[{\"id\":\"a\"}]}", "{\"data\":[{\"id\":\"a\"}]",
        "{\"data\":[{\"id\":\"a\"}]}x",
        "{\"a\":{\"data\":[{\"id\":\"a\"}]}}", "<html></html>",
    ])
    func whatIsNoListIsNone(_ text: String) { #expect(read(text) == nil) }

    @Test func modelsWithoutAFitNameAreLeftOut() {
        let long = String(repeating: "n", count: 257)
        #expect(
            names(
                "{\"data\":[{\"id\":1},{\"id\":\"\"},{},null,7,\"b\",[{\"id\":\"c\"}],{\"id\":null},"
                    + "{\"id\":\"\\u0007\"},{\"id\":\"\(long)\"},{\"x\":{\"id\":\"d\"}},{\"id\":\"e\"}]}"
            )
                == ["e"])
        #expect(
            read("{\"data\":[{\"id\":\"a\",\"created\":-5,\"owned_by\":3,\"max_model_len\":1.5}]}")
                == [ListedModel(name: Array("a".utf8))])
    }

    @Test func aListHasAnEnd() {
        let all = (0..<1_500).map { "{\"id\":\"m\($0)\"}" }.joined(separator: ",")
        #expect(read("{\"data\":[\(all)]}")?.count == ModelListReader.maxModels)
    }
}
