// Package every makes all services of AWS that Trellis serves, out of the parts that mean them. It is the one list of them: for
// the daemon, which serves them, and for whoever prints what is served or holds it to AWS's models.
package every

import (
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

// Parts are what services are made of. Those that do something besides answering calls, or that others use too, are handed
// in; companions whose nouns are all that they have are made here.
type Parts struct {
	Plane      *controlplane.Plane
	Identity   *identity.Identity
	Telemetry  *telemetry.Telemetry
	Buckets    *bucket.Buckets
	Functions  *function.Functions
	Companions companion.Options
}

// Services are all services, by the names of their packages.
func Services(p Parts) []api.Service {
	keys := key.New(p.Companions)
	t := &taggers{Parts: p, alarms: alarm.New(p.Companions), keys: keys, parameters: parameter.New(p.Companions, keys),
		streams: deliverystream.New(p.Companions), zones: hostedzone.New(p.Companions),
		balancers: loadbalancer.New(loadbalancer.Options{Options: p.Companions, Interfaces: controlplane.NewInterfaces})}
	return []api.Service{
		accessanalyzer.New(),
		acm.New(p.Plane),
		cloudtrail.New(p.Telemetry.Trail()),
		cloudwatch.New(t.alarms, p.Telemetry.Metrics()),
		ec2.New(p.Plane),
		eks.New(p.Identity),
		eksauth.New(p.Identity),
		elbv2.New(t.balancers),
		firehose.New(t.streams),
		iam.New(p.Identity),
		kms.New(t.keys),
		lambda.New(p.Functions),
		logs.New(p.Telemetry.Logs()),
		organizations.New(p.Identity),
		ram.New(p.Plane),
		rolesanywhere.New(p.Identity),
		route53.New(t.zones),
		s3.New(p.Buckets),
		servicequotas.New(quota.New(p.Companions)),
		ssm.New(t.parameters),
		sts.New(p.Identity),
		tagging.New(tag.New(tag.Options{Options: p.Companions, Services: t.services(), Others: []tag.Finder{tag.Beside(p.Telemetry.Logs().Tagged), identity.OrgTagged}})),
		vpclattice.New(p.Plane),
	}
}
