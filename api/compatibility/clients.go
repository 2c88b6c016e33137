package main

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/trellis-project/trellis/api"
)

// clientsText is the list of real clients that were tried with each service.
//
//go:embed clients.txt
var clientsText string

// clients reads the list: a line "service SIGNING-NAME", then lines "CLIENT: TEST".
func clients() (map[string][]api.Tried, error) {
	tried := map[string][]api.Tried{}
	service := ""
	for line := range strings.Lines(clientsText) {
		line = strings.TrimSpace(line)
		name, is := strings.CutPrefix(line, "service ")
		client, test, ok := strings.Cut(line, ": ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case is:
			service = name
		case !ok || service == "":
			return nil, fmt.Errorf("clients.txt: %q is neither a service nor a client with its test", line)
		default:
			tried[service] = append(tried[service], api.Tried{Client: client, Test: test})
		}
	}
	return tried, nil
}
