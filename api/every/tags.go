package every

import (
	"context"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/alarm"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/companion/deliverystream"
	"github.com/trellis-project/trellis/companion/hostedzone"
	"github.com/trellis-project/trellis/companion/key"
	"github.com/trellis-project/trellis/companion/loadbalancer"
	"github.com/trellis-project/trellis/companion/parameter"
	"github.com/trellis-project/trellis/companion/tag"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/telemetry"
)

// taggers are the parts of Trellis whose resources have tags.
type taggers struct {
	Parts
	alarms     *alarm.Alarms
	balancers  *loadbalancer.LoadBalancers
	keys       *key.Keys
	parameters *parameter.Parameters
	streams    *deliverystream.Streams
	zones      *hostedzone.Zones
}

// services are how each service changes the tags of its resources, by its name in ARNs: what tag.Tags are handed, since
// no service knows another.
func (t *taggers) services() map[string]tag.Service {
	plane, who, balancers := t.Plane, t.Identity, t.balancers
	return map[string]tag.Service{
		"acm": {
			Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
				return plane.TagCertificate(ctx, c, arn, "acm:TagResource", tags)
			},
			Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
				return plane.UntagCertificate(ctx, c, arn, "acm:UntagResource", withoutValues(keys))
			},
		},
		"cloudwatch": {Tag: t.alarms.Tag, Untag: t.alarms.Untag},
		"ec2": {
			Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
				return plane.CreateTags(ctx, controlplane.EC2Call{Caller: c}, []string{trellis.LastPart(arn)}, tags)
			},
			Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
				return plane.DeleteTags(ctx, controlplane.EC2Call{Caller: c}, []string{trellis.LastPart(arn)}, withoutValues(keys))
			},
		},
		"eks": {Tag: who.TagEKSResource, Untag: who.UntagEKSResource},
		"elasticloadbalancing": {
			Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
				return balancers.AddTags(ctx, c, []string{arn}, tags)
			},
			Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
				return balancers.RemoveTags(ctx, c, []string{arn}, keys)
			},
		},
		"firehose": {
			Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
				return t.streams.Tag(ctx, c, trellis.LastPart(arn), tags)
			},
			Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
				return t.streams.Untag(ctx, c, trellis.LastPart(arn), keys)
			},
		},
		"iam":           iamTags(who),
		"kms":           {Tag: t.keys.Tag, Untag: t.keys.Untag},
		"lambda":        {Tag: t.Functions.Tag, Untag: t.Functions.Untag},
		"logs":          logTags(t.Telemetry.Logs()),
		"organizations": organizationTags(who),
		"ram":           {Tag: plane.TagShare, Untag: plane.UntagShare},
		"rolesanywhere": {Tag: who.TagAnywhere, Untag: who.UntagAnywhere},
		"route53": {
			Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
				return t.zones.ChangeTags(ctx, c, trellis.LastPart(arn), tags, nil)
			},
			Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
				return t.zones.ChangeTags(ctx, c, trellis.LastPart(arn), nil, keys)
			},
		},
		"s3": bucketTags(t.Buckets),
		"ssm": {
			Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
				return t.parameters.Tag(ctx, c, "ssm:AddTagsToResource", parameterName(arn), tags, nil)
			},
			Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
				return t.parameters.Tag(ctx, c, "ssm:RemoveTagsFromResource", parameterName(arn), nil, keys)
			},
		},
		"vpc-lattice": {Tag: plane.TagResource, Untag: plane.UntagResource},
	}
}

// organizationTags changes tags of what is in the organization that the caller manages.
func organizationTags(who *identity.Identity) tag.Service {
	named := func(c *authpolicy.Caller, arn string) (id string, err error) {
		a, _ := trellis.ParseARN(arn) // tag.Tags have read it
		parts, id := strings.Split(a.Resource, "/"), trellis.LastPart(arn)
		prefix, known := map[string]string{"account": "", "ou": "ou-", "policy": "p-", "root": "r-"}[parts[0]]
		if !known || len(parts) < 3 || parts[1] != c.Principal.OrgID || !strings.HasPrefix(id, prefix) || prefix == "" && !trellis.IsAccountID(id) {
			return "", trellis.NewError(400, "InvalidParameterException", "%s is nothing of your organization that has tags.", arn)
		}
		return id, nil
	}
	return tag.Service{
		Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
			id, err := named(c, arn)
			if err != nil {
				return 0, err
			}
			return who.TagOrgResource(ctx, c, id, tags)
		},
		Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
			id, err := named(c, arn)
			if err != nil {
				return 0, err
			}
			return who.UntagOrgResource(ctx, c, id, keys)
		},
	}
}

// parameterName is the name of the parameter that an ARN names: one of several levels begins with a slash.
func parameterName(arn string) string {
	a, _ := trellis.ParseARN(arn) // tag.Tags have read it
	name := strings.TrimPrefix(a.Resource, "parameter/")
	if strings.Contains(name, "/") {
		return "/" + name
	}
	return name
}

// withoutValues are tags to remove whatever their values are.
func withoutValues(keys []string) map[string]*string {
	m := make(map[string]*string, len(keys))
	for _, k := range keys {
		m[k] = nil
	}
	return m
}

// iamTags changes tags of what IAM tags beside users and roles, which the tagging API does not know on AWS either.
func iamTags(who *identity.Identity) tag.Service {
	unknown := func(arn string) error {
		return trellis.NewError(400, "InvalidParameterException", "The tags of %s can't be changed here.", arn)
	}
	return tag.Service{
		Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
			switch resource(arn) {
			case "instance-profile":
				return who.TagInstanceProfile(ctx, c, trellis.LastPart(arn), tags)
			case "oidc-provider":
				return who.TagOIDCProvider(ctx, c, arn, tags)
			case "policy":
				return who.TagPolicy(ctx, c, arn, tags)
			}
			return 0, unknown(arn)
		},
		Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
			switch resource(arn) {
			case "instance-profile":
				return who.UntagInstanceProfile(ctx, c, trellis.LastPart(arn), keys)
			case "oidc-provider":
				return who.UntagOIDCProvider(ctx, c, arn, keys)
			case "policy":
				return who.UntagPolicy(ctx, c, arn, keys)
			}
			return 0, unknown(arn)
		},
	}
}

// resource is the type of the resource that an ARN names, for example policy.
func resource(arn string) string {
	a, _ := trellis.ParseARN(arn) // of what is no ARN, nothing
	typ, _, _ := strings.Cut(a.Resource, "/")
	return typ
}

// bucketTags changes tags of buckets, which are put all at once there.
func bucketTags(b *bucket.Buckets) tag.Service {
	change := func(ctx context.Context, c *authpolicy.Caller, arn string, change func(have map[string]string) map[string]string) (trellis.Revision, error) {
		a, _ := trellis.ParseARN(arn) // tag.Tags have read it
		access := bucket.Access{Caller: c, Action: "s3:PutBucketTagging", Bucket: a.Resource, ExpectedOwner: c.Principal.Account}
		return b.Change(ctx, access, func(n *trellis.Bucket) error {
			n.Tags = change(n.Tags)
			return bucket.CheckTags(n.Tags)
		})
	}
	return tag.Service{
		Tag: func(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
			return change(ctx, c, arn, func(have map[string]string) map[string]string { return companion.WithTags(have, tags) })
		},
		Untag: func(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
			return change(ctx, c, arn, func(have map[string]string) map[string]string { return companion.WithoutTags(have, keys) })
		},
	}
}

// logTags changes tags of log groups.
func logTags(l *telemetry.Logs) tag.Service {
	group := func(c *authpolicy.Caller, action, arn string) (account, name string, err error) {
		a, name, err := trellis.ParseLogGroupARN(arn)
		if err != nil {
			return "", "", trellis.NewError(400, "InvalidParameterException", "%s is not the ARN of a log group", arn)
		}
		return a.Account, name, c.Authorize(action, l.GroupARN(a.Account, name)+":*", nil)
	}
	return tag.Service{
		Tag: func(_ context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
			account, name, err := group(c, "logs:TagResource", arn)
			if err != nil {
				return 0, err
			}
			return 0, l.Tag(account, name, tags)
		},
		Untag: func(_ context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
			account, name, err := group(c, "logs:UntagResource", arn)
			if err != nil {
				return 0, err
			}
			return 0, l.Untag(account, name, keys)
		},
	}
}
