package every

import (
	"testing"

	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/companion/parameter"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/telemetry"
)

// publicNames are how public parameters call services whose folders are called otherwise.
var publicNames = map[string]string{"eksauth": "eks-auth", "elbv2": "elb", "tagging": "resourcegroupstaggingapi", "vpclattice": "vpc-lattice"}

// TestPublicServices finds services that Systems Manager's public parameters do not say to be there.
func TestPublicServices(t *testing.T) {
	o := companion.Options{}
	for _, s := range Services(Parts{Plane: controlplane.New(controlplane.Options{}), Identity: new(identity.Identity), Telemetry: new(telemetry.Telemetry),
		Buckets: bucket.New(o, ""), Functions: function.New(function.Options{Options: o}), Companions: o}) {
		name := publicNames[s.Model.Folder]
		if name == "" {
			name = s.Model.Folder
		}
		if !parameter.PublicService(name) {
			t.Errorf("%s is missing among the services of public parameters", name)
		}
	}
}
