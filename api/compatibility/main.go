// Command compatibility prints docs/compatibility.md from the services' tables of operations.
//
//	go run ./api/compatibility docs/compatibility.md
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/every"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/telemetry"
)

// main writes the file that its argument names.
func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compatibility FILE")
		os.Exit(2)
	}
	text, err := document()
	if err == nil {
		err = os.WriteFile(filepath.Clean(os.Args[1]), text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compatibility:", err)
		os.Exit(1)
	}
}

// document returns the text. The services are made of parts that have started nothing and are never called.
func document() ([]byte, error) {
	all := every.Services(parts(controlplane.New(controlplane.Options{}), new(identity.Identity), new(telemetry.Telemetry), ""))
	for _, s := range all {
		if err := s.Check(); err != nil {
			return nil, err
		}
	}
	tried, err := clients()
	if err != nil {
		return nil, err
	}
	return api.Compatibility(all, tried), nil
}

// parts are what all that Trellis serves is made of: what the document lists, and what the tests of this package hold to the
// models. What is no noun is kept below dir.
func parts(plane *controlplane.Plane, who *identity.Identity, kept *telemetry.Telemetry, dir string) every.Parts {
	companions := companion.Options{Store: plane.Store, Region: plane.Region, Strict: plane.Strict}
	return every.Parts{Plane: plane, Identity: who, Telemetry: kept, Buckets: bucket.New(companions, filepath.Join(dir, "buckets")),
		Functions: function.New(function.Options{Options: companions, CodeDir: filepath.Join(dir, "functions")}), Companions: companions}
}
