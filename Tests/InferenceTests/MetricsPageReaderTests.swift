// Engines' own pages of metrics, and what is none.

import Testing

@testable import Inference

@Suite struct MetricsPageReaderTests {
    private func read(_ page: String) -> LoadReport? {
        MetricsPageReader.read(Array(page.utf8).span)
    }

    private func report(_ queued: Double?, _ cacheUse: Double?) -> LoadReport {
        var report = LoadReport()
        report.queued = queued
        report.cacheUse = cacheUse
        return report
    }

    private static let vLLM = """
        # HELP vllm:num_requests_waiting Number of requests waiting to be processed.
        # TYPE vllm:num_requests_waiting gauge
        vllm:num_requests_waiting{engine="0",model_name="a"} 3.0
        vllm:num_requests_waiting{engine="1",model_name="a}\\"b"} 4.0
        vllm:num_requests_running{engine="0",model_name="a"} 8.0
        vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.25
        vllm:kv_cache_usage_perc{engine="1",model_name="a"} 0.75

        """

    @Test(
        arguments: [
            (vLLM, 7.0, 0.75),
            ("vllm:gpu_cache_usage_perc 0.5\n", nil, 0.5),
            ("sglang:num_queue_reqs{model_name=\"m\"} 2\nsglang:token_usage{} 1e-1", 2.0, 0.1),
            ("tgi_queue_size 12\r\n", 12.0, nil),
            ("llamacpp:requests_deferred 1 1700000000000\n", 1.0, nil),
            (
                "nv_inference_pending_request_count{model=\"a\"} 1\n"
                    + "nv_inference_pending_request_count{model=\"b\"} 2\n", 3.0, nil
            ),
            (
                "nv_trt_llm_request_metrics{model=\"t\",request_type=\"waiting\"} 5\n"
                    + "nv_trt_llm_request_metrics{model=\"t\",request_type=\"active\"} 9\n"
                    + "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"fraction\"} 0.5\n"
                    + "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"max\"} 0.9\n", 5.0,
                0.5
            ),
        ] as [(String, Double?, Double?)])
    func engines(_ page: String, _ queued: Double?, _ cacheUse: Double?) {
        #expect(read(page) == report(queued, cacheUse))
    }

    @Test(arguments: [
        "", "\n\n", "<html>404</html>", "vllm:num_requests_waiting", "vllm:num_requests_waiting{",
        "vllm:num_requests_waiting{a=\"} 3", "vllm:num_requests_waiting NaN",
        "vllm:num_requests_waiting +Inf", "vllm:num_requests_waiting -1",
        "vllm:num_requests_waiting 1e300", "vllm:kv_cache_usage_perc 1.01", "{a=\"b\"} 3",
        "xvllm:num_requests_waiting 3", "vllm:num_requests_waiting_total 3",
        "vllm:num_requests_waiting3 3", "# vllm:num_requests_waiting 3",
    ])
    func whatSaysNothing(_ page: String) {
        #expect(read(page) == nil)
    }

    /// A line that cannot be read takes no other with it.
    @Test func othersCountBesideABrokenLine() {
        let page = "vllm:num_requests_waiting{ 9\nvllm:num_requests_waiting NaN\n" + Self.vLLM
        #expect(read(page) == report(7, 0.75))
    }

    /// What waits is a number that can be worked with, however many lines there are.
    @Test func sumsHaveABound() {
        let page = String(repeating: "tgi_queue_size 1e9\n", count: 40)
        #expect(read(page) == report(1e9, nil))
    }

    @Test func longPagesSayNothing() {
        let rest = String(repeating: "#", count: MetricsPageReader.mostBytes)
        #expect(read(Self.vLLM + rest) == nil)
        #expect(read(Self.vLLM + String(rest.dropLast(Self.vLLM.utf8.count))) != nil)
    }

    /// A page that is cut anywhere says what its whole lines say, or the end of a number less.
    @Test func aPageThatIsCut() {
        let bytes = Array(Self.vLLM.utf8)
        for end in bytes.indices {
            let cut = MetricsPageReader.read(bytes.span.extracting(..<end))
            #expect((cut?.queued ?? 0) <= 7 && (cut?.cacheUse ?? 0) <= 0.75)
        }
    }
}
