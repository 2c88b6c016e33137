// Package dataplane is the request path: it takes the connections of a VPC's clients, and for each request
// finds the service, listener and rule, authenticates and authorizes the caller, picks a target, forwards,
// streams both ways and accounts for it.
//
// The engine moves bytes: a few workers, each an event loop of package reactor (server.go, worker.go, conn.go,
// upload.go), which share themselves out among accounts (tenant.go) and bound what they take (overload.go). Package
// http1 is the codec, and the pipeline decides (serve.go and the files of its stages: authenticate.go, authorize.go,
// forward.go, headers.go, respond.go, account.go). Serve reads a request top-down. Connections to TCP resources have a
// pipeline of their own (resource.go), on the same engine.
//
// Everything that the pipeline asks is immutable and was compiled before: one Table for the whole request, the
// caller's policies, the target groups. Nothing on this path parses configuration, takes a global lock or asks
// the store.
package dataplane
