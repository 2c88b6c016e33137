package estate

import (
	"context"
)

// parameterKinds are parameters of Systems Manager. The values of those that are secret stand in no file: variables of the environment of
// who applies stand for them.
func parameterKinds() []*kind {
	hidden := func(t *thing) bool { return t.members["Type"] == "SecureString" }
	return []*kind{plain{list: "DescribeParameters", items: "Parameters", own: "Name", arn: "ARN", more: withValue}.of(
		&kind{name: "Parameter", service: "ssm", nameMember: "Name", id: "Name", create: "PutParameter", update: "PutParameter", remove: "DeleteParameter", make: makeParameter,
			change: changeParameter,
			members: []member{{name: "Type", required: true, fixed: true}, {name: "Value", required: true, secret: hidden}, {name: "Description", def: nothing},
				{name: "KeyId", def: usualKey}, {name: "AllowedPattern", def: nothing}, {name: "DataType", fixed: true, def: "text"}, {name: "Tier", def: "Standard"}},
			refs: map[string]reference{"KeyId": {kinds: []string{"Key"}}}})}
}

// usualKey is the key of secret parameters that name none.
const usualKey = "alias/aws/ssm"

// withValue reads the value of a parameter. A secret one is asked for only to be compared, and never to be written.
func withValue(ctx context.Context, s *session, m map[string]any, t *thing) error {
	if t.arn == "" {
		t.arn = "arn:aws:ssm:" + s.region + ":" + s.account + ":parameter/" + trimmed(t.own)
	}
	secret := m["Type"] == "SecureString"
	if secret && !s.secrets {
		t.members["Value"] = variableOf(t.own)
		return nil
	}
	out, err := s.call(ctx, "ssm", "GetParameter", map[string]any{"Name": t.own, "WithDecryption": secret})
	t.members["Value"] = text(at(out, "Parameter.Value"))
	return err
}

// trimmed is a name without the slash that it may begin with.
func trimmed(name string) string {
	if name != "" && name[0] == '/' {
		return name[1:]
	}
	return name
}

// makeParameter puts a parameter that is not there yet.
func makeParameter(ctx context.Context, s *session, t *thing, in map[string]any) error {
	t.arn = "arn:aws:ssm:" + s.region + ":" + s.account + ":parameter/" + trimmed(t.own)
	return s.do(ctx, "ssm", "PutParameter", in)
}

// changeParameter puts another version of a parameter. A value that nobody has given again stays what it is.
func changeParameter(ctx context.Context, s *session, t, _ *thing, _ []string) error {
	in := map[string]any{"Name": t.own, "Overwrite": true}
	for _, m := range t.kind.members {
		if v := s.sent(t, t.members[m.name], m.name); v != nil && m.name != "Type" && m.name != "DataType" {
			in[m.name] = v
		}
	}
	for _, name := range []string{"Description", "AllowedPattern"} {
		if in[name] == nil {
			in[name] = ""
		}
	}
	if unset(in["Value"]) {
		out, err := s.call(ctx, "ssm", "GetParameter", map[string]any{"Name": t.own, "WithDecryption": true})
		if err != nil {
			return err
		}
		in["Value"] = at(out, "Parameter.Value")
	}
	if in["KeyId"] == nil && t.members["Type"] == "SecureString" {
		in["KeyId"] = usualKey
	}
	in["Type"] = t.members["Type"]
	return s.do(ctx, "ssm", "PutParameter", in)
}
