// Signs the requests that it reads with http-auth-aws of the AWS SDK for Java, with SigV4 or SigV4A; see
// ../../../signers/signers_test.go for the form of both. The class path needs the jars that `.ci/install test` fetches.

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4FamilyHttpSigner;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4aHttpSigner;
import software.amazon.awssdk.http.auth.aws.signer.RegionSet;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignRequest;
import software.amazon.awssdk.http.auth.spi.signer.SignedRequest;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;
import software.amazon.awssdk.identity.spi.AwsSessionCredentialsIdentity;
import software.amazon.awssdk.utils.http.SdkHttpUtils;

public class Sign {
  // properties sets what both signers want to know.
  static void properties(SignRequest.Builder<AwsCredentialsIdentity> b, JSONObject job, JSONObject c, Clock clock) {
    String token = c.getString("token");
    byte[] body = c.getString("body").getBytes(StandardCharsets.UTF_8);
    b.identity(token.isEmpty()
            ? AwsCredentialsIdentity.create(job.getString("key"), job.getString("secret"))
            : AwsSessionCredentialsIdentity.create(job.getString("key"), job.getString("secret"), token))
        .request(request(c))
        .putProperty(AwsV4FamilyHttpSigner.SERVICE_SIGNING_NAME, job.getString("service"))
        .putProperty(AwsV4FamilyHttpSigner.PAYLOAD_SIGNING_ENABLED, !c.getString("payload").equals("unsigned"))
        .putProperty(HttpSigner.SIGNING_CLOCK, clock);
    if (body.length > 0) {
      b.payload(() -> new ByteArrayInputStream(body));
    }
    if (c.getBoolean("presign")) {
      b.putProperty(AwsV4FamilyHttpSigner.AUTH_LOCATION, AwsV4FamilyHttpSigner.AuthLocation.QUERY_STRING)
          .putProperty(AwsV4FamilyHttpSigner.EXPIRATION_DURATION, Duration.ofSeconds(300));
    }
  }

  // request is an unsigned request as the SDK holds it: its path encoded, its query decoded.
  static SdkHttpRequest request(JSONObject c) {
    String[] target = c.getString("target").split("\\?", 2);
    String[] host = c.getString("host").split(":");
    // The Host field has no port that is usual for the scheme, so what is not usual there is: https for the others.
    SdkHttpRequest.Builder b = SdkHttpRequest.builder().method(SdkHttpMethod.fromValue(c.getString("method"))).protocol("https").host(host[0])
        .port(host.length > 1 ? Integer.valueOf(host[1]) : null).encodedPath(target[0]);
    if (target.length > 1) {
      for (Map.Entry<String, List<String>> p : SdkHttpUtils.uriParams(java.net.URI.create("http://h/?" + target[1])).entrySet()) {
        p.getValue().forEach(v -> b.appendRawQueryParameter(p.getKey(), v));
      }
    }
    JSONArray headers = c.getJSONArray("headers");
    for (int i = 0; i < headers.length(); i++) {
      b.appendHeader(headers.getJSONArray(i).getString(0), headers.getJSONArray(i).getString(1));
    }
    return b.build();
  }

  // sign signs one request.
  static JSONObject sign(JSONObject job, JSONObject c, Clock clock) {
    String regionSet = job.getString("regionSet");
    SignedRequest signed = regionSet.isEmpty()
        ? AwsV4HttpSigner.create().sign(b -> {
            properties((SignRequest.Builder<AwsCredentialsIdentity>) b, job, c, clock);
            b.putProperty(AwsV4HttpSigner.REGION_NAME, job.getString("region"));
          })
        : AwsV4aHttpSigner.create().sign(b -> {
            properties((SignRequest.Builder<AwsCredentialsIdentity>) b, job, c, clock);
            b.putProperty(AwsV4aHttpSigner.REGION_SET, RegionSet.create(regionSet));
          });
    JSONArray headers = new JSONArray();
    signed.request().forEachHeader((name, values) -> values.forEach(v -> headers.put(new JSONArray(List.of(name, v)))));
    return new JSONObject(Map.of("name", c.getString("name"), "path", signed.request().encodedPath(),
        "query", signed.request().encodedQueryParameters().orElse(""), "headers", headers));
  }

  public static void main(String[] args) throws Exception {
    JSONObject job = new JSONObject(new String(System.in.readAllBytes(), StandardCharsets.UTF_8));
    Clock clock = Clock.fixed(LocalDateTime.parse(job.getString("time"), DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'")).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
    JSONArray out = new JSONArray();
    for (Object o : job.getJSONArray("cases")) {
      JSONObject c = (JSONObject) o;
      try {
        out.put(sign(job, c, clock));
      } catch (RuntimeException e) {
        out.put(new JSONObject(Map.of("name", c.getString("name"), "error", String.valueOf(e.getMessage()))));
      }
    }
    System.out.write(new JSONObject(Map.of("generator", "http-auth-aws " + System.getProperty("sdk.version", "unknown"), "cases", out)).toString().getBytes(StandardCharsets.UTF_8));
    System.out.flush();
  }
}
