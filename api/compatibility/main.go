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
	"github.com/trellis-project/trellis/api/cloudtrail"
	"github.com/trellis-project/trellis/api/cloudwatch"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/api/eks"
	"github.com/trellis-project/trellis/api/eksauth"
	"github.com/trellis-project/trellis/api/elbv2"
	"github.com/trellis-project/trellis/api/firehose"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/kms"
	"github.com/trellis-project/trellis/api/lambda"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/api/organizations"
	"github.com/trellis-project/trellis/api/ram"
	"github.com/trellis-project/trellis/api/rolesanywhere"
	"github.com/trellis-project/trellis/api/route53"
	"github.com/trellis-project/trellis/api/s3"
	"github.com/trellis-project/trellis/api/servicequotas"
	"github.com/trellis-project/trellis/api/ssm"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/api/tagging"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/alarm"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/companion/deliverystream"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/companion/hostedzone"
	"github.com/trellis-project/trellis/companion/key"
	"github.com/trellis-project/trellis/companion/loadbalancer"
	"github.com/trellis-project/trellis/companion/parameter"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/companion/tag"
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
	all := services(controlplane.New(controlplane.Options{}), new(identity.Identity), new(telemetry.Telemetry))
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

// services are all that Trellis serves: what the document lists, and what the tests of this package hold to the models.
func services(plane *controlplane.Plane, who *identity.Identity, kept *telemetry.Telemetry) []api.Service {
	companions := companion.Options{Store: plane.Store, Region: plane.Region, Strict: plane.Strict}
	return []api.Service{
		accessanalyzer.New(),
		acm.New(plane),
		cloudtrail.New(kept.Trail()),
		cloudwatch.New(alarm.New(companions), kept.Metrics()),
		ec2.New(plane),
		eks.New(who),
		eksauth.New(who),
		elbv2.New(loadbalancer.New(loadbalancer.Options{Options: companions, Interfaces: controlplane.NewInterfaces})),
		firehose.New(deliverystream.New(companions)),
		iam.New(who),
		kms.New(key.New(companions)),
		lambda.New(function.New(function.Options{Options: companions})),
		logs.New(kept.Logs()),
		organizations.New(who),
		ram.New(plane),
		rolesanywhere.New(who),
		route53.New(hostedzone.New(companions)),
		s3.New(bucket.New(companions, "")),
		servicequotas.New(quota.New(companions)),
		ssm.New(parameter.New(companions)),
		sts.New(who),
		tagging.New(tag.New(tag.Options{Options: companions, Others: kept.Logs().Tagged})),
		vpclattice.New(plane),
	}
}
