package every

import (
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/telemetry"
)

// TestTagServices finds services whose tags are shown by the Resource Groups Tagging API and can't be changed by it.
func TestTagServices(t *testing.T) {
	services := (&taggers{Parts: Parts{Identity: new(identity.Identity), Telemetry: new(telemetry.Telemetry), Plane: controlplane.New(controlplane.Options{})}}).services()
	for _, kind := range trellis.TaggedKinds("") {
		n, err := trellis.NewNoun(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range trellis.TaggedResources(n, "eu-west-1") {
			name, _, _ := strings.Cut(r.Type, ":")
			if _, ok := services[name]; !ok {
				t.Errorf("%s: its tags can't be changed", name)
			}
		}
	}
}
