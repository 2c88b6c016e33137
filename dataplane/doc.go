// Package dataplane is the request path: it takes the connections of a VPC's clients, and for each request
// finds the service, listener and rule, authenticates and authorizes the caller, picks a target, forwards,
// streams both ways and accounts for it.
//
// The engines move bytes: a few workers, each an event loop of package reactor (server.go, worker.go, conn.go,
// tls.go, upload.go), which share themselves out among accounts (tenant.go) and bound what they take (overload.go). HTTP/1.1
// (http1.go) and HTTP/2 (http2.go) are two clients of one pipeline (client.go), which decides: serve.go and the files of its
// stages, authenticate.go, authorize.go, forward.go and, to targets of HTTP/2, streams.go, headers.go, respond.go,
// account.go. Serve reads a request top-down. What is no request has a short pipeline of its own (passthrough.go) and is
// carried as it comes (carry.go), as WebSocket is once it has begun (websocket.go). Connections to TCP
// resources have another one (resource.go), on the same engine.
//
// Everything that the pipeline asks is immutable and was compiled before: one Table for the whole request, the
// caller's policies, the target groups. Nothing on this path parses configuration, takes a global lock or asks
// the store.
package dataplane
