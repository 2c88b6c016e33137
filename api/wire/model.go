package wire

import (
	"reflect"
	"slices"
	"strings"
)

// Protocol is how a service is spoken to.
type Protocol string

// The protocols, by the names that Smithy gives them.
const (
	RESTJSON Protocol = "restJson1"
	JSON     Protocol = "awsJson1_1"
	Query    Protocol = "awsQuery"
	EC2      Protocol = "ec2Query"
)

// Model is what the wire knows of an AWS service. It is generated and never changed.
type Model struct {
	Folder       string // the folder below api, for example vpclattice
	ServiceID    string // AWS's name, for example VPC Lattice
	SigningName  string // the service in a credential scope, for example vpc-lattice
	Protocol     Protocol
	Version      string // for example 2022-11-30
	TargetPrefix string // of X-Amz-Target, awsJson only
	XMLNamespace string // of answers, query protocols only
	Operations   []Operation
	Errors       []Error
}

// Operation is what the wire knows of an operation.
type Operation struct {
	Name       string
	Method     string
	Path       string // with {labels}, restJson only; "/" otherwise
	Status     int    // of success
	In, Out    reflect.Type
	Result     string // the element around the result, awsQuery only
	Idempotent bool
	ReadOnly   bool
	Errors     []string // codes, sorted
}

// Error is a modelled error.
type Error struct {
	Code   string
	Status int
}

// Operation finds an operation by its name.
func (m *Model) Operation(name string) (*Operation, bool) {
	i, ok := slices.BinarySearchFunc(m.Operations, name, func(o Operation, n string) int { return strings.Compare(o.Name, n) })
	if !ok {
		return nil, false
	}
	return &m.Operations[i], true
}

// ErrorStatus is the HTTP status of a modelled error, 0 when the service has no such error.
func (m *Model) ErrorStatus(code string) int {
	i, ok := slices.BinarySearchFunc(m.Errors, code, func(e Error, c string) int { return strings.Compare(e.Code, c) })
	if !ok {
		return 0
	}
	return m.Errors[i].Status
}
