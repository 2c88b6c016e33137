package api

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/trellis-project/trellis/api/wire"
)

// protocols names those of a service.
func protocols(m *wire.Model) string {
	var names []string
	for _, v := range m.ByProtocol() {
		names = append(names, string(v.Protocol))
	}
	return strings.Join(names, ", ")
}

// Compatibility returns the text of docs/compatibility.md: for each service how it is spoken to, and for each
// operation of its table whether it is served. The tables are the only source.
func Compatibility(services []Service) []byte {
	services = slices.Clone(services)
	slices.SortFunc(services, func(a, b Service) int { return cmp.Compare(a.Model.ServiceID, b.Model.ServiceID) })
	var b bytes.Buffer
	b.WriteString("# Compatibility\n\nThis file is printed from the tables of operations by `make generate`.\n\n" +
		"An operation that is known but not served answers a modelled error: `ValidationException` with the reason\n" +
		"`unknownOperation` (restJson), `UnknownOperationException` (awsJson) or `InvalidAction` (the others).\n\n" +
		"| service | signing name | version | protocol | served |\n|---|---|---|---|---|\n")
	for _, s := range services {
		served := 0
		for _, o := range s.Operations {
			if o.Served {
				served++
			}
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %d of %d |\n", s.Model.ServiceID, s.Model.SigningName, s.Model.Version, protocols(s.Model), served, len(s.Operations))
	}
	for _, s := range services {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Model.ServiceID)
		rest := s.Model.Protocol == wire.RESTJSON || s.Model.Protocol == wire.RESTXML
		if rest {
			b.WriteString("| operation | served | request | status |\n|---|---|---|---|\n")
		} else {
			b.WriteString("| operation | served |\n|---|---|\n")
		}
		for _, o := range s.Operations {
			m, _ := s.Model.Operation(o.Name) // Check has found it
			served := "yes"
			if !o.Served {
				served = "no"
			}
			if rest {
				fmt.Fprintf(&b, "| %s | %s | `%s %s` | %d |\n", o.Name, served, m.Method, m.Path, m.Status)
			} else {
				fmt.Fprintf(&b, "| %s | %s |\n", o.Name, served)
			}
		}
	}
	return b.Bytes()
}
