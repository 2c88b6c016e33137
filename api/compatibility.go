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

// Tried is which real clients have called a service, each with the test that does it.
type Tried struct{ Client, Test string }

// Compatibility returns the text of docs/compatibility.md: for each service how it is spoken to and which clients were tried
// with it, by signing name, and for each operation of its table whether it is served. The tables are the only source.
func Compatibility(services []Service, tried map[string][]Tried) []byte {
	services = slices.Clone(services)
	slices.SortFunc(services, func(a, b Service) int { return cmp.Compare(a.Model.ServiceID, b.Model.ServiceID) })
	var b bytes.Buffer
	b.WriteString("# Compatibility\n\nThis file is printed from the tables of operations by `make generate`.\n\n" +
		"An operation that is known but not served answers a modelled error: `ValidationException` with the reason\n" +
		"`unknownOperation` (restJson), `UnknownOperationException` (awsJson) or `InvalidAction` (the others). The clients are those\n" +
		"that the tests drive unchanged; below each service stands which test it is.\n\n" +
		"| service | signing name | version | protocol | served | in part | clients tried |\n|---|---|---|---|---|---|---|\n")
	for _, s := range services {
		served, partly := 0, 0
		for _, o := range s.Operations {
			if o.Served {
				served++
			}
			if o.missing != "" {
				partly++
			}
		}
		var clients []string
		for _, t := range tried[s.Model.SigningName] {
			if !slices.Contains(clients, t.Client) {
				clients = append(clients, t.Client)
			}
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %d of %d | %d | %s |\n", s.Model.ServiceID, s.Model.SigningName, s.Model.Version, protocols(s.Model), served, len(s.Operations), partly, strings.Join(clients, ", "))
	}
	for _, s := range services {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Model.ServiceID)
		for _, t := range tried[s.Model.SigningName] {
			fmt.Fprintf(&b, "- %s: `%s`\n", t.Client, t.Test)
		}
		if len(tried[s.Model.SigningName]) > 0 {
			b.WriteString("\n")
		}
		rest := s.Model.Protocol == wire.RESTJSON || s.Model.Protocol == wire.RESTXML
		if rest {
			b.WriteString("| operation | served | request | status |\n|---|---|---|---|\n")
		} else {
			b.WriteString("| operation | served |\n|---|---|\n")
		}
		for _, o := range s.Operations {
			m, _ := s.Model.Operation(o.Name) // Check has found it
			served := "yes"
			switch {
			case !o.Served:
				served = "no"
			case o.missing != "":
				served = "partly: " + o.missing
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
