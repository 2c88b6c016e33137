package trellistest

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// roleVariable names what a process of this program is for, when it is not to run tests.
const roleVariable = "TRELLISTEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := playRole(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	flag.Set("test.parallel", "6") // tests wait more than they compute: for time-outs, and for statuses to settle
	code := m.Run()
	RemoveProgram()
	stopAWS()
	os.Exit(code)
}
