//go:build thorough

package trellistest

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestGRPCTargets makes the same calls to targets in Python and Node.
func TestGRPCTargets(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	s := makeGRPC(t, tr)
	s.prepareCalls(t, tr)
	for _, target := range []struct {
		name, port string
		command    []string
	}{
		{"Python", "8082", []string{filepath.Join(venv(t, "grpc"), "bin", "python3"), testdata(t, "grpc_target.py")}},
		{"Node", "8083", append(node(t), testdata(t, "grpc_target.js"))},
	} {
		for _, port := range []string{target.port, "8081"} {
			s.start(t, tr, ":"+port, append(target.command, port)...)
		}
		group := s.makeGroup(t, tr, strings.ToLower(target.name))
		at, _ := strconv.Atoi(target.port)
		tr.Call(t, "", "vpc-lattice", "RegisterTargets", map[string]any{"targetGroupIdentifier": group, "targets": []any{map[string]any{"id": "10.0.12.31", "port": at}}})
		tr.Call(t, "", "vpc-lattice", "UpdateListener", map[string]any{"serviceIdentifier": s.id, "listenerIdentifier": s.listener, "defaultAction": forwardTo(group)})
		s.makeCalls(t, tr, target.name+"'s target", self(t, "client"))
	}
}
