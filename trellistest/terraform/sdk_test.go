//go:build thorough

package terraform

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ram"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	lattice "github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// goSDK calls by aws-sdk-go-v2, as Terraform's provider does: its clients, by their methods' names, with its own retries,
// idempotency tokens and unmarshalling.
type goSDK map[string]any

// newGoSDK makes clients of all services.
func newGoSDK(c aws.Config) goSDK {
	return goSDK{
		"acm":                      acm.NewFromConfig(c),
		"cloudwatch":               cloudwatch.NewFromConfig(c),
		"ec2":                      ec2.NewFromConfig(c),
		"elbv2":                    elasticloadbalancingv2.NewFromConfig(c),
		"firehose":                 firehose.NewFromConfig(c),
		"iam":                      iam.NewFromConfig(c),
		"kms":                      kms.NewFromConfig(c),
		"lambda":                   lambda.NewFromConfig(c),
		"logs":                     cloudwatchlogs.NewFromConfig(c),
		"ram":                      ram.NewFromConfig(c),
		"resourcegroupstaggingapi": resourcegroupstaggingapi.NewFromConfig(c),
		"route53":                  route53.NewFromConfig(c),
		"s3":                       s3.NewFromConfig(c),
		"sts":                      sts.NewFromConfig(c),
		"vpc-lattice":              vpclattice.NewFromConfig(c),
	}
}

// lowerCase has the services whose models begin the names of members with a small letter.
var lowerCase = map[string]bool{"vpc-lattice": true, "ram": true, "logs": true}

// unionMembers are the types of the SDK that a union of an input may hold, by the union's and the member's name: reflection can't find
// who implements an interface.
var unionMembers = map[string]reflect.Type{
	"HeaderMatchType.contains":                    reflect.TypeFor[lattice.HeaderMatchTypeMemberContains](),
	"HeaderMatchType.exact":                       reflect.TypeFor[lattice.HeaderMatchTypeMemberExact](),
	"HeaderMatchType.prefix":                      reflect.TypeFor[lattice.HeaderMatchTypeMemberPrefix](),
	"Matcher.httpCode":                            reflect.TypeFor[lattice.MatcherMemberHttpCode](),
	"PathMatchType.exact":                         reflect.TypeFor[lattice.PathMatchTypeMemberExact](),
	"PathMatchType.prefix":                        reflect.TypeFor[lattice.PathMatchTypeMemberPrefix](),
	"ResourceConfigurationDefinition.arnResource": reflect.TypeFor[lattice.ResourceConfigurationDefinitionMemberArnResource](),
	"ResourceConfigurationDefinition.dnsResource": reflect.TypeFor[lattice.ResourceConfigurationDefinitionMemberDnsResource](),
	"ResourceConfigurationDefinition.ipResource":  reflect.TypeFor[lattice.ResourceConfigurationDefinitionMemberIpResource](),
	"RuleAction.fixedResponse":                    reflect.TypeFor[lattice.RuleActionMemberFixedResponse](),
	"RuleAction.forward":                          reflect.TypeFor[lattice.RuleActionMemberForward](),
	"RuleMatch.httpMatch":                         reflect.TypeFor[lattice.RuleMatchMemberHttpMatch](),
}

// call is a Client.
func (s goSDK) call(ctx context.Context, service, operation string, in map[string]any) (Answer, error) {
	client, ok := s[service]
	if !ok {
		return Answer{}, fmt.Errorf("no client of %s", service)
	}
	method := reflect.ValueOf(client).MethodByName(operation)
	if !method.IsValid() {
		return Answer{}, fmt.Errorf("the SDK has no %s %s", service, operation)
	}
	input := reflect.New(method.Type().In(1).Elem())
	if err := put(input.Elem(), in, ""); err != nil {
		return Answer{}, err
	}
	answer := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, _ := answer[1].Interface().(error); err != nil {
		var refusal smithy.APIError
		if !errors.As(err, &refusal) {
			return Answer{}, err
		}
		r := &Refusal{Code: refusal.ErrorCode(), Message: refusal.ErrorMessage()}
		var response *awshttp.ResponseError
		if errors.As(err, &response) {
			r.Status = response.HTTPStatusCode()
		}
		return Answer{}, r
	}
	out, _ := get(answer[0], lowerCase[service]).(map[string]any)
	answered := Answer{Output: generic(out).(map[string]any)}
	metadata := answer[0].Elem().FieldByName("ResultMetadata").Interface().(middleware.Metadata)
	if raw, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response); ok {
		answered.Status = raw.StatusCode
	}
	return answered, nil
}

// put sets a value of the SDK's types from a plain one.
func put(to reflect.Value, v any, path string) error {
	mismatch := fmt.Errorf("%s: %v for a %v", path, v, to.Type())
	switch to.Interface().(type) {
	case []byte:
		if m, ok := v.(map[string]any); ok {
			b, err := base64.StdEncoding.DecodeString(m[base64Key].(string))
			to.SetBytes(b)
			return err
		}
		to.SetBytes([]byte(v.(string)))
		return nil
	case time.Time:
		at, err := time.Parse(time.RFC3339, v.(string))
		to.Set(reflect.ValueOf(at))
		return err
	case io.Reader:
		to.Set(reflect.ValueOf(strings.NewReader(v.(string))))
		return nil
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return put(to.Elem(), v, path)
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return mismatch
		}
		for k, e := range m {
			field := to.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, k) })
			if !field.IsValid() {
				return fmt.Errorf("%s: the SDK's %v has no %s", path, to.Type(), k)
			}
			if field.Kind() == reflect.Interface && field.Type() == reflect.TypeFor[io.Reader]() {
				field.Set(reflect.ValueOf(strings.NewReader(e.(string))))
			} else if err := put(field, e, path+"."+k); err != nil {
				return err
			}
		}
	case reflect.Interface:
		m, ok := v.(map[string]any)
		if !ok || len(m) != 1 {
			return mismatch
		}
		for k, e := range m {
			member, ok := unionMembers[to.Type().Name()+"."+k]
			if !ok {
				return mismatch
			}
			value := reflect.New(member)
			if err := put(value.Elem().FieldByName("Value"), e, path+"."+k); err != nil {
				return err
			}
			to.Set(value)
		}
	case reflect.Slice:
		l, ok := v.([]any)
		if !ok {
			return mismatch
		}
		to.Set(reflect.MakeSlice(to.Type(), len(l), len(l)))
		for i := range l {
			if err := put(to.Index(i), l[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		m, ok := v.(map[string]any)
		if !ok {
			return mismatch
		}
		to.Set(reflect.MakeMap(to.Type()))
		for k, e := range m {
			value := reflect.New(to.Type().Elem()).Elem()
			if err := put(value, e, path+"."+k); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(k).Convert(to.Type().Key()), value)
		}
	default:
		if number, ok := v.(string); ok && to.CanConvert(reflect.TypeFor[float64]()) { // Route 53's model has texts where its SDK has numbers
			if f, err := strconv.ParseFloat(number, 64); err == nil {
				v = f
			}
		}
		value := reflect.ValueOf(v)
		if number := value.Kind() == reflect.Float64; number != to.CanConvert(reflect.TypeFor[float64]()) || !value.CanConvert(to.Type()) {
			return mismatch
		}
		to.Set(value.Convert(to.Type()))
	}
	return nil
}

// get is a value of the SDK's types as a plain one, with members named as the service's model does. What is unset is left out.
func get(v reflect.Value, lower bool) any {
	if !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface || v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
		return nil
	}
	switch v := v.Interface().(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.Format(time.RFC3339)
	case io.Reader:
		text, _ := io.ReadAll(v)
		return string(text)
	}
	name := func(s string) string {
		if lower {
			return string(unicode.ToLower(rune(s[0]))) + s[1:]
		}
		return s
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if _, member, ok := strings.Cut(v.Elem().Type().Name(), "Member"); ok && v.Elem().Kind() == reflect.Struct {
			if value := v.Elem().FieldByName("Value"); value.IsValid() {
				return map[string]any{name(member): get(value, lower)}
			}
		}
		return get(v.Elem(), lower)
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Name == "ResultMetadata" {
				continue
			}
			if e := get(v.Field(i), lower); e != nil {
				out[name(f.Name)] = e
			}
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = get(v.Index(i), lower)
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = get(v.MapIndex(k), lower)
		}
		return out
	case reflect.String:
		if v.Type() != reflect.TypeFor[string]() && v.Len() == 0 {
			return nil // an enumeration that was absent
		}
		return v.String()
	}
	return v.Interface()
}
