package api

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
)

// Service is an AWS service: what the wire knows of it and its complete table of operations, sorted by name.
type Service struct {
	Model      *wire.Model
	Operations []Operation
}

// Operation is one row of a service's table.
type Operation struct {
	Name          string
	Served        bool
	missing       string // of what is served in part
	unsigned      bool   // signatures are not looked at
	byCertificate bool   // takes signatures by the key of a certificate alone
	data          bool   // moves the data of a resource
	unchecked     []string
	body          int64 // bytes that a request may have, when more than others
	in            reflect.Type
	serve         func(ctx context.Context, c *Call, in any) (any, error)
}

// Op is a row for an operation that is served. In and Out are the generated structs of its sides; the input
// that serve gets is decoded and has been checked. A nil output is an empty one.
func Op[In, Out any](name string, serve func(ctx context.Context, c *Call, in *In) (*Out, error)) Operation {
	return Operation{Name: name, Served: true, in: reflect.TypeFor[In](),
		serve: func(ctx context.Context, c *Call, in any) (any, error) {
			out, err := serve(ctx, c, in.(*In))
			if err != nil {
				return nil, err
			}
			if out == nil {
				out = new(Out)
			}
			return out, nil
		}}
}

// Unserved is a row for an operation that is known but not served: it answers a modelled error that says so.
func Unserved(name string) Operation { return Operation{Name: name} }

// Partly says what of a served operation is missing, in a few words for docs/compatibility.md. What a client asks of it
// gets a modelled error, unless the words say otherwise.
func (o Operation) Partly(missing string) Operation {
	o.missing = missing
	return o
}

// Unsigned takes requests of the operation from everybody: what they bring, a token of another issuer for example, is
// the operation's to verify. A signature is not looked at, and the call's Caller is anonymous.
func (o Operation) Unsigned() Operation {
	o.unsigned = true
	return o
}

// Body lets requests of the operation have more bytes than others: code of functions. Its service has paths, by which the
// operation is known before the body is read.
func (o Operation) Body(limit int64) Operation {
	o.body = limit
	return o
}

// Unchecked frees top-level fields (wire names) from the check of length, pattern and enumeration, because the
// operation takes more than the model says and checks by itself.
func (o Operation) Unchecked(fields ...string) Operation {
	o.unchecked = append(slices.Clone(o.unchecked), fields...)
	return o
}

// Check holds the table against the model: sorted, complete, no stranger, input types right.
func (s *Service) Check() error {
	if s.Model == nil {
		return fmt.Errorf("service without a model")
	}
	names := make([]string, len(s.Operations))
	for i, o := range s.Operations {
		names[i] = o.Name
		m, ok := s.Model.Operation(o.Name)
		if !ok {
			return fmt.Errorf("%s: the model has no operation %s", s.Model.Folder, o.Name)
		}
		if o.Served && o.in != m.In {
			return fmt.Errorf("%s: %s takes %s, the model says %s", s.Model.Folder, o.Name, o.in, m.In)
		}
		for _, name := range o.unchecked {
			if !hasMember(m.In, name) {
				return fmt.Errorf("%s: %s has no member %s to leave unchecked", s.Model.Folder, o.Name, name)
			}
		}
	}
	if !slices.IsSortedFunc(names, strings.Compare) {
		return fmt.Errorf("%s: the table of operations is not sorted", s.Model.Folder)
	}
	for _, m := range s.Model.Operations {
		if !slices.Contains(names, m.Name) {
			return fmt.Errorf("%s: %s is missing in the table", s.Model.Folder, m.Name)
		}
	}
	if len(names) != len(s.Model.Operations) {
		return fmt.Errorf("%s: an operation stands twice in the table", s.Model.Folder)
	}
	return nil
}

// hasMember tells whether an input struct has a member of a wire name.
func hasMember(in reflect.Type, name string) bool {
	for i := range in.NumField() {
		if in.Field(i).Tag.Get("wire") == name {
			return true
		}
	}
	return false
}

// unserved is the error of an operation that is known but not served.
func unserved(m *wire.Model, name string) *trellis.Error {
	e := trellis.InvalidOther("%s is not served by Trellis", name)
	e.Reason = "unknownOperation"
	switch m.Protocol {
	case wire.Query, wire.EC2, wire.RESTXML:
		e.Code = "InvalidAction"
	case wire.JSON, wire.CBOR:
		e.Code = "UnknownOperationException"
	}
	return e
}
