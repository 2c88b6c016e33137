// Command compatibility prints docs/compatibility.md from the services' tables of operations.
//
//	go run ./api/compatibility docs/compatibility.md
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/accessanalyzer"
	"github.com/trellis-project/trellis/api/acm"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/api/eks"
	"github.com/trellis-project/trellis/api/eksauth"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/api/organizations"
	"github.com/trellis-project/trellis/api/ram"
	"github.com/trellis-project/trellis/api/rolesanywhere"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
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
	plane, who := controlplane.New(controlplane.Options{}), new(identity.Identity)
	services := []api.Service{
		accessanalyzer.New(),
		acm.New(plane),
		ec2.New(plane),
		eks.New(who),
		eksauth.New(who),
		iam.New(who),
		logs.New(nil),
		organizations.New(who),
		ram.New(plane),
		rolesanywhere.New(who),
		sts.New(who),
		vpclattice.New(plane),
	}
	for _, s := range services {
		if err := s.Check(); err != nil {
			return nil, err
		}
	}
	return api.Compatibility(services), nil
}
