// Package api speaks the AWS APIs on the wire: one HTTP endpoint for all services. Each service has a folder
// with its sorted table of operations and one file a noun; package wire below is the codec; the types are
// generated from AWS's API models by generate.
//
// A request is told apart by the credential scope of its signature, its signature is verified, its input is
// decoded and checked, the operation is served, and its output or error is written as the service's protocol
// wants it. What an operation means is package controlplane's, identity's or telemetry's matter.
package api

//go:generate go run ./generate -root ..
//go:generate go run ./compatibility ../docs/compatibility.md
