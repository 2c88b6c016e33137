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
	JSON     Protocol = "awsJson1_1" // 1.0, too: see Model.JSONVersion
	CBOR     Protocol = "rpcv2Cbor"
	Query    Protocol = "awsQuery"
	EC2      Protocol = "ec2Query"
	RESTXML  Protocol = "restXml"
)

// Model is what the wire knows of an AWS service. It is generated and never changed.
type Model struct {
	Folder       string // the folder below api, for example vpclattice
	ServiceID    string // AWS's name, for example VPC Lattice
	SigningName  string // the service in a credential scope, for example vpc-lattice
	Protocol     Protocol
	Protocols    []Protocol // when it is spoken to by several; Protocol is one of them
	JSONVersion  string     // of awsJson, empty for 1.1
	Version      string     // for example 2022-11-30
	TargetPrefix string     // of X-Amz-Target, and the service's name in the paths of rpcv2Cbor
	XMLNamespace string     // of answers in XML
	BareErrors   bool       // an error has no element around it: S3, restXml only
	Operations   []Operation
	Errors       []Error
	// QueryCompatible services were spoken to by awsQuery alone once: whatever the protocol, they say in a header how
	// awsQuery names an error, and AWS's SDKs go by that.
	QueryCompatible bool
}

// Operation is what the wire knows of an operation.
type Operation struct {
	Name       string
	Method     string
	Path       string // with {labels}, of the REST protocols; "/" otherwise
	Status     int    // of success
	In, Out    reflect.Type
	Result     string // the element around the result, awsQuery and restXml only
	Root       string // the element around the body of a request, restXml only
	Idempotent bool
	ReadOnly   bool
	Errors     []string // codes, sorted
}

// Error is a modelled error.
type Error struct {
	Code   string
	Status int
	Query  string // its code in awsQuery, where that differs and the service speaks other protocols, too
}

// Speaking is the model of the same service for one of its protocols.
func (m *Model) Speaking(p Protocol) *Model {
	c := *m
	c.Protocol = p
	return &c
}

// ByProtocol are the models of a service for each of its protocols.
func (m *Model) ByProtocol() []*Model {
	if len(m.Protocols) == 0 {
		return []*Model{m}
	}
	var all []*Model
	for _, p := range m.Protocols {
		all = append(all, m.Speaking(p))
	}
	return all
}

// QueryCode is the code of an error in awsQuery.
func (m *Model) QueryCode(code string) string {
	if i, ok := m.findError(code); ok && m.Errors[i].Query != "" {
		return m.Errors[i].Query
	}
	return code
}

// findError finds a modelled error.
func (m *Model) findError(code string) (int, bool) {
	return slices.BinarySearchFunc(m.Errors, code, func(e Error, c string) int { return strings.Compare(e.Code, c) })
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
	if i, ok := m.findError(code); ok {
		return m.Errors[i].Status
	}
	return 0
}
