package estate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// functionKinds are functions of Lambda. Their versions and aliases stand in no file: versions can't be made again.
func functionKinds() []*kind {
	return []*kind{plain{list: "ListFunctions", items: "Functions", get: "GetFunction", got: "Configuration", own: "FunctionName", id: "FunctionArn", arn: "FunctionArn",
		renamed: []string{"Code=", "Permissions=", "ReservedConcurrentExecutions="}, more: withCode, status: "State", reason: "StateReason", done: []string{"Active", "Inactive"}, failed: []string{"Failed"},
		sets: map[string]setter{"Permissions": changePermissions, "Code": changeCode, "ReservedConcurrentExecutions": reserve}}.of(
		&kind{name: "Function", service: "lambda", roaming: true, nameMember: "FunctionName", id: "FunctionName", create: "CreateFunction", update: "UpdateFunctionConfiguration", remove: "DeleteFunction",
			make: makeFunction, unmake: unmakeFunction,
			members: []member{{name: "PackageType", fixed: true, def: "Zip"}, {name: "Code", form: codeFile}, {name: "Runtime"}, {name: "Handler"}, {name: "Role", required: true},
				{name: "Description", def: nothing}, {name: "Timeout", def: 3}, {name: "MemorySize", def: 128}, {name: "Architectures", fixed: true, def: []any{"x86_64"}},
				{name: "Environment", def: nothing}, {name: "EphemeralStorage", def: map[string]any{"Size": 512}}, {name: "Layers", def: nothing}, {name: "VpcConfig", def: nothing},
				{name: "DeadLetterConfig", def: nothing}, {name: "TracingConfig", def: map[string]any{"Mode": "PassThrough"}}, {name: "SnapStart", def: map[string]any{"ApplyOn": "None"}},
				{name: "KMSKeyArn", def: nothing}, {name: "FileSystemConfigs", def: nothing}, {name: "ImageConfig", def: nothing}, {name: "LoggingConfig", part: true},
				{name: "ReservedConcurrentExecutions", later: true, def: nothing},
				{name: "Permissions", later: true, late: true, set: true, def: nothing, each: "AddPermission"}},
			defaults: map[string]any{"Ipv6AllowedForDualStack": false},
			refs: map[string]reference{"Role": {kinds: []string{"Role"}, arn: true}, "SubnetIds": toSubnet, "SecurityGroupIds": toSecurity, "KMSKeyArn": {kinds: []string{"Key"}, arn: true}, "S3Bucket": {kinds: []string{"Bucket"}},
				"SourceArn": {kinds: []string{"LoadBalancerTargetGroup", "TargetGroup", "Bucket"}, arn: true}}})}
}

// withCode takes what of a function stands beside its configuration.
func withCode(ctx context.Context, s *session, answer map[string]any, t *thing) error {
	t.tags = tagsOf(answer["Tags"])
	t.aliases = []string{s.account + " Function " + t.own}
	m := t.members
	config := structure(answer["Configuration"])
	if uri := at(answer, "Code.ImageUri"); uri != nil {
		m["Code"] = map[string]any{"ImageUri": uri}
	} else if sum := text(config["CodeSha256"]); sum != "" {
		m["Code"], t.codeAt = sumPrefix+sum, text(at(answer, "Code.Location"))
	}
	if n := at(answer, "Concurrency.ReservedConcurrentExecutions"); n != nil {
		m["ReservedConcurrentExecutions"] = n
	}
	for name, parts := range map[string][]string{"VpcConfig": {"SubnetIds", "SecurityGroupIds", "Ipv6AllowedForDualStack"}, "SnapStart": {"ApplyOn"}, "Environment": {"Variables"}} {
		if part := take(structure(m[name]), parts...); len(part) > 0 && len(list(part["SubnetIds"])) > 0 == (name == "VpcConfig") {
			m[name] = part
		} else {
			delete(m, name)
		}
	}
	var layers []any
	for _, l := range list(m["Layers"]) {
		layers = append(layers, structure(l)["Arn"])
	}
	if delete(m, "Layers"); layers != nil {
		m["Layers"] = layers
	}
	if image := structure(at(config, "ImageConfigResponse.ImageConfig")); len(image) > 0 {
		m["ImageConfig"] = image
	}
	if usual := map[string]any{"LogFormat": "Text", "LogGroup": "/aws/lambda/" + t.own}; key(m["LoggingConfig"]) == key(usual) {
		delete(m, "LoggingConfig")
	}
	return withPermissions(ctx, s, t)
}

// withPermissions reads the permissions of a function out of its policy.
func withPermissions(ctx context.Context, s *session, t *thing) error {
	out, err := s.call(ctx, "lambda", "GetPolicy", map[string]any{"FunctionName": t.own})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var policy struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(text(out["Policy"])), &policy); err != nil {
		return fmt.Errorf("read the policy of the function %s: %w", t.own, err)
	}
	var all []any
	for _, statement := range policy.Statement {
		p := permissionOf(statement)
		if p["Principal"] == "vpc-lattice.amazonaws.com" && strings.HasPrefix(text(p["StatementId"]), "vpc-lattice-") {
			continue // VPC Lattice made it when the function became a target
		}
		all = append(all, p)
	}
	if all != nil {
		t.members["Permissions"] = all
	}
	return nil
}

// permissionOf is what AddPermission was asked for when it wrote a statement.
func permissionOf(statement map[string]any) map[string]any {
	p := take(statement, "StatementId=Sid", "Action")
	switch who := statement["Principal"].(type) {
	case string:
		p["Principal"] = who
	case map[string]any:
		for _, name := range who {
			p["Principal"] = name
			if account, is := strings.CutSuffix(strings.TrimPrefix(text(name), "arn:aws:iam::"), ":root"); is {
				p["Principal"] = account
			}
		}
	}
	for _, conditions := range structure(statement["Condition"]) {
		for name, v := range structure(conditions) {
			switch strings.ToLower(name) {
			case "aws:sourcearn":
				p["SourceArn"] = v
			case "aws:sourceaccount":
				p["SourceAccount"] = v
			case "aws:principalorgid":
				p["PrincipalOrgID"] = v
			case "lambda:functionurlauthtype":
				p["FunctionUrlAuthType"] = v
			case "lambda:eventsourcetoken":
				p["EventSourceToken"] = v
			}
		}
	}
	return p
}

// codeOf is the code of a function as operations take it.
func codeOf(v any) map[string]any {
	if z, ok := v.(zipped); ok {
		return map[string]any{"ZipFile": base64.StdEncoding.EncodeToString(z.zip)}
	}
	return structure(v)
}

// makeFunction creates a function. A role that was just made may not be known to Lambda yet.
func makeFunction(ctx context.Context, s *session, t *thing, in map[string]any) error {
	in["Code"] = codeOf(in["Code"])
	err := await(ctx, func() (bool, error) {
		out, err := s.call(ctx, "lambda", "CreateFunction", in)
		if refused(err, "InvalidParameterValueException") && strings.Contains(err.Error(), "cannot be assumed") {
			return false, stillError{err}
		}
		t.arn = text(out["FunctionArn"])
		t.id = t.arn
		return true, err
	})
	if err != nil {
		return err
	}
	return awaitFunction(ctx, s, t)
}

// awaitFunction waits until a function can be called, and changed again.
func awaitFunction(ctx context.Context, s *session, t *thing) error {
	return await(ctx, func() (bool, error) {
		out, err := s.call(ctx, "lambda", "GetFunction", map[string]any{"FunctionName": t.own})
		c := structure(out["Configuration"])
		if c["State"] == "Failed" || c["LastUpdateStatus"] == "Failed" {
			return false, failedError{"Failed", text(c["StateReason"]) + text(c["LastUpdateStatusReason"])}
		}
		return c["State"] != "Pending" && c["LastUpdateStatus"] != "InProgress", err
	})
}

// changeCode gives a function other code.
func changeCode(ctx context.Context, s *session, t *thing, want, _ any) error {
	in := codeOf(want)
	in["FunctionName"] = t.own
	if err := s.do(ctx, "lambda", "UpdateFunctionCode", in); err != nil {
		return err
	}
	return awaitFunction(ctx, s, t)
}

// reserve sets how many calls of a function may run at once, or lets it share what is left.
func reserve(ctx context.Context, s *session, t *thing, want, _ any) error {
	in := map[string]any{"FunctionName": t.own}
	if want == nil {
		return s.do(ctx, "lambda", "DeleteFunctionConcurrency", in)
	}
	in["ReservedConcurrentExecutions"] = want
	return s.do(ctx, "lambda", "PutFunctionConcurrency", in)
}

// changePermissions adds and removes permissions. One that differs is removed first.
func changePermissions(ctx context.Context, s *session, t *thing, want, have any) error {
	for _, p := range lacking(list(have), list(want)) {
		in := map[string]any{"FunctionName": t.own, "StatementId": structure(p)["StatementId"]}
		if err := unlessGone(s.do(ctx, "lambda", "RemovePermission", in)); err != nil {
			return err
		}
	}
	for _, p := range lacking(list(want), list(have)) {
		in := maps.Clone(structure(p))
		in["FunctionName"] = t.own
		if err := s.do(ctx, "lambda", "AddPermission", in); err != nil {
			return err
		}
	}
	return nil
}

// unmakeFunction deletes a function.
func unmakeFunction(ctx context.Context, s *session, t *thing) error {
	return unlessGone(s.do(ctx, "lambda", "DeleteFunction", map[string]any{"FunctionName": t.own}))
}

// elsewhere tells whether a document says that code is an object in a bucket. Nobody can tell whether a function has it.
func elsewhere(code any) bool { return structure(code)["S3Key"] != nil }
