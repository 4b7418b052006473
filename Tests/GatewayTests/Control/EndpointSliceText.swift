// Slices as an API server writes them, with what it writes besides.

@testable import Control

enum EndpointSliceText {
    /// The slice of the documentation of EndpointSlices, with the metadata that an API server adds.
    static let documented = """
        {"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"example-abc","namespace":"default",\
        "uid":"0d8a3b1e-3bc0-4d7c-9a37-2c2b4f0a1c11","resourceVersion":"12746","generation":3,\
        "creationTimestamp":"2026-11-28T08:00:00Z","labels":{"kubernetes.io/service-name":"example",\
        "endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"},\
        "annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"2026-11-28T08:00:00Z"},\
        "ownerReferences":[{"apiVersion":"v1","kind":"Service","name":"example","uid":"aa","controller":true}],\
        "managedFields":[{"manager":"kube-controller-manager","operation":"Update","fieldsType":"FieldsV1",\
        "fieldsV1":{"f:addressType":{},"f:endpoints":{},"f:ports":{"f:a":{"f:b":{"f:c":{"f:d":[1,[2,[3]]]}}}}}}]},\
        "addressType":"IPv4","endpoints":[{"addresses":["10.1.2.3"],"conditions":{"ready":true,"serving":true,\
        "terminating":false},"hostname":"pod-1","targetRef":{"kind":"Pod","namespace":"default","name":"pod-1",\
        "uid":"uid-1"},"nodeName":"node-1","zone":"us-west2-a"}],\
        "ports":[{"name":"http","port":80,"protocol":"TCP","appProtocol":"http"}]}
        """

    /// The same as the reader has it.
    static var documentedSlice: EndpointSlice {
        var endpoint = Endpoint()
        endpoint.address = "10.1.2.3"
        endpoint.uid = "uid-1"
        endpoint.ready = true
        endpoint.serving = true
        endpoint.terminating = false
        return EndpointSlice(
            name: "example-abc", addressType: "IPv4", ports: [.init(name: "http", number: 80)],
            endpoints: [endpoint])
    }

    /// `slice` as a text.
    static func text(_ slice: EndpointSlice, version: Int = 1) -> String {
        let ports = slice.ports.map { port in
            #"{"name":"\#(port.name)","port":\#(port.number.map { "\($0)" } ?? "null"),"protocol":"TCP"}"#
        }
        let endpoints = slice.endpoints.map(text)
        // Go writes null for a list of nothing.
        let list = { (all: [String]) in
            all.isEmpty ? "null" : "[\(all.joined(separator: ","))]"
        }
        return
            #"{"kind":"EndpointSlice","metadata":{"name":"\#(slice.name)","resourceVersion":"\#(version)"},"#
            + #""addressType":"\#(slice.addressType)","endpoints":\#(list(endpoints)),"ports":\#(list(ports))}"#
    }

    private static func text(_ endpoint: Endpoint) -> String {
        let conditions = [
            ("ready", endpoint.ready), ("serving", endpoint.serving),
            ("terminating", endpoint.terminating),
        ].compactMap { name, value in value.map { #""\#(name)":\#($0)"# } }
        let target =
            endpoint.uid.isEmpty ? "" : #","targetRef":{"kind":"Pod","uid":"\#(endpoint.uid)"}"#
        return #"{"addresses":["\#(endpoint.address)","10.9.9.9"],"#
            + #""conditions":{\#(conditions.joined(separator: ","))}\#(target)}"#
    }

    static func event(_ type: String, _ slice: EndpointSlice, version: Int = 1) -> String {
        #"{"type":"\#(type)","object":\#(text(slice, version: version))}"# + "\n"
    }

    static func list(_ slices: [EndpointSlice], version: Int = 1) -> String {
        let items = slices.map { text($0, version: version) }.joined(separator: ",")
        return #"{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":"#
            + #"{"resourceVersion":"\#(version)"},"items":[\#(items)]}"# + "\n"
    }
}
