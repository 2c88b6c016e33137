# Puts and gets metrics, alarms and dashboards with boto3 (by CBOR), and by the older protocols of the same service; with
# "again", after a restart.
import json, os, sys, urllib.error, urllib.request
from datetime import datetime, timedelta, timezone
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

cw = boto3.client("cloudwatch")

def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return
    raise AssertionError(f"{call} was not refused with {code}")

def raw(body, **headers):
    """Sends a request by another protocol, signed."""
    session = boto3.session.Session()
    url = os.environ["AWS_ENDPOINT_URL"] + "/"
    r = AWSRequest("POST", url, data=body, headers=headers)
    SigV4Auth(session.get_credentials(), "monitoring", "eu-west-1").add_auth(r)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body.encode(), dict(r.headers))) as f:
            return f.status, f.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()

now = datetime.now(timezone.utc)
start, end = now - timedelta(hours=1), now + timedelta(hours=1)
dims = [{"Name": "service", "Value": "orders"}]
alarm = dict(AlarmName="many calls", MetricName="calls", Namespace="shop", Dimensions=dims, Statistic="Sum", Period=60, EvaluationPeriods=3,
             Threshold=5.5, ComparisonOperator="GreaterThanThreshold", AlarmActions=["arn:aws:sns:eu-west-1:111122223333:topic"],
             TreatMissingData="notBreaching", Unit="Count", AlarmDescription="é")

def statistics(**kw):
    args = dict(Namespace="shop", MetricName="calls", Dimensions=dims, StartTime=start, EndTime=end, Period=86400)
    return cw.get_metric_statistics(**{**args, **kw})["Datapoints"]

if sys.argv[1] == "first":
    cw.put_metric_data(Namespace="shop", MetricData=[dict(MetricName="calls", Dimensions=dims, Values=[float(i) for i in range(1, 101)], Unit="Count")])
    cw.put_metric_data(Namespace="shop", MetricData=[dict(MetricName="calls", Dimensions=dims, Value=200.0, Unit="Count"),
        dict(MetricName="time", StatisticValues=dict(SampleCount=4.0, Sum=10.0, Minimum=1.0, Maximum=4.0), Unit="Seconds", Timestamp=now - timedelta(minutes=10))])
    # More than 10 KiB are compressed.
    cw.put_metric_data(Namespace="bulk", MetricData=[dict(MetricName=f"metric {i}", Value=float(i), Dimensions=dims) for i in range(600)])
    refused("InvalidParameterValue", cw.put_metric_data, Namespace="AWS/VpcLattice", MetricData=[dict(MetricName="x", Value=1.0)])
    refused("InvalidParameterCombination", cw.put_metric_data, Namespace="shop", MetricData=[dict(MetricName="x", Value=1.0, Values=[1.0])])
    refused("InvalidParameterValue", cw.put_metric_data, Namespace="shop", MetricData=[dict(MetricName="x", Value=1.0, Timestamp=now - timedelta(days=15))])
    refused("InvalidParameterValue", cw.get_metric_statistics, Namespace="a", MetricName="b", StartTime=start, EndTime=end, Period=61, Statistics=["Sum"])
    assert len([m for p in cw.get_paginator("list_metrics").paginate(Namespace="bulk") for m in p["Metrics"]]) == 600
    assert cw.list_metrics(Dimensions=[{"Name": "service", "Value": "x"}])["Metrics"] == []

    cw.put_metric_alarm(**alarm, Tags=[{"Key": "team", "Value": "orders"}])
    cw.put_metric_alarm(AlarmName="rate", EvaluationPeriods=1, Threshold=1, ComparisonOperator="LessThanThreshold", Metrics=[
        dict(Id="e", Expression="m / 60", Label="rate"), dict(Id="m", ReturnData=False, MetricStat=dict(Metric=dict(Namespace="shop", MetricName="calls", Dimensions=dims), Period=60, Stat="p99"))])
    refused("InvalidParameterCombination", cw.put_metric_alarm, **{**alarm, "AlarmName": "x", "EvaluationPeriods": 2000})
    refused("InvalidParameterValue", cw.put_metric_alarm, **{**alarm, "AlarmName": "x", "TreatMissingData": "x"})
    refused("ResourceNotFound", cw.set_alarm_state, AlarmName="x", StateValue="OK", StateReason="r")
    refused("InvalidFormat", cw.set_alarm_state, AlarmName="rate", StateValue="OK", StateReason="r", StateReasonData="{")
    refused("ResourceNotFound", cw.delete_alarms, AlarmNames=["rate", "x"])
    # Composite alarms: made of the others' states at once, found only by who asks for them.
    refused("ValidationError", cw.put_composite_alarm, AlarmName="any", AlarmRule="ALARM(rate) OR ALARM(x)")
    refused("ValidationError", cw.put_composite_alarm, AlarmName="any", AlarmRule="ALARM(rate) OR")
    refused("ValidationError", cw.put_composite_alarm, AlarmName="any", AlarmRule="TRUE", ActionsSuppressor="rate")
    cw.put_composite_alarm(AlarmName="any", AlarmRule='ALARM("rate") OR ALARM("many calls")', AlarmDescription="any of them", Tags=[{"Key": "team", "Value": "shop"}],
                           ActionsSuppressor="many calls", ActionsSuppressorWaitPeriod=60, ActionsSuppressorExtensionPeriod=120)
    (any,) = cw.describe_alarms(AlarmNames=["any"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert any["StateValue"] == "OK" and any["StateReason"] == any["AlarmArn"] + " was created and its alarm rule evaluates to OK" and any["ActionsSuppressorWaitPeriod"] == 60, any
    cw.set_alarm_state(AlarmName="rate", StateValue="ALARM", StateReason="a test")
    cw.disable_alarm_actions(AlarmNames=["many calls"])
    # Log events count in metrics.
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="shop")
    logs.create_log_stream(logGroupName="shop", logStreamName="s")
    logs.put_metric_filter(logGroupName="shop", filterName="slow", filterPattern="{ $.ms > 100 }", metricTransformations=[
        dict(metricNamespace="rows", metricName="ms", metricValue="$.ms", unit="Milliseconds", dimensions={"path": "$.path"})])
    logs.put_log_events(logGroupName="shop", logStreamName="s", logEvents=[dict(timestamp=int(now.timestamp() * 1000), message=json.dumps({"ms": ms, "path": "/"})) for ms in (5, 200, 300)])
    cw.put_dashboard(DashboardName="shop", DashboardBody='{"widgets":[]}')
    refused("InvalidParameterInput", cw.put_dashboard, DashboardName="shop", DashboardBody="{")
    refused("ResourceNotFound", cw.get_dashboard, DashboardName="x")

points = statistics(Statistics=["SampleCount", "Sum", "Average", "Minimum", "Maximum"])
assert sum(p["SampleCount"] for p in points) == 101 and sum(p["Sum"] for p in points) == 5250, points
assert points[0]["Unit"] == "Count" and max(p["Maximum"] for p in points) == 200, points
(p,) = [p for p in statistics(ExtendedStatistics=["p50", "p99.9"])] if len(points) == 1 else [None]
assert p is None or 49 < p["ExtendedStatistics"]["p50"] < 53 and p["ExtendedStatistics"]["p99.9"] > 98, p
assert statistics(Statistics=["Sum"], Unit="Bytes") == [] and statistics(Statistics=["Sum"], Dimensions=[]) == []
rows = cw.get_metric_statistics(Namespace="rows", MetricName="ms", Dimensions=[{"Name": "path", "Value": "/"}], StartTime=start, EndTime=end, Period=7200, Statistics=["Sum", "SampleCount"])["Datapoints"]
assert sum(p["Sum"] for p in rows) == 500 and sum(p["SampleCount"] for p in rows) == 2 and rows[0]["Unit"] == "Milliseconds", rows
query = lambda id, name, stat, dimensions: dict(Id=id, MetricStat=dict(Metric=dict(Namespace="shop", MetricName=name, Dimensions=dimensions), Period=60, Stat=stat))
got = {r["Id"]: r for r in cw.get_metric_data(StartTime=start, EndTime=end, MetricDataQueries=[query("a", "calls", "Sum", dims), query("b", "time", "Average", []), query("c", "none", "Sum", [])])["MetricDataResults"]}
assert sum(got["a"]["Values"]) == 5250 and got["b"]["Values"] == [2.5] and got["c"]["Values"] == [], got
assert got["a"]["StatusCode"] == "Complete" and got["a"]["Label"] == "calls" and got["b"]["Timestamps"][0].second == 0, got
assert {"Namespace": "shop", "MetricName": "time", "Dimensions": []} in cw.list_metrics(Namespace="shop")["Metrics"]

(any,) = cw.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
assert any["StateValue"] == "ALARM" and ":alarm:rate transitioned to ALARM at " in any["StateReason"], any
assert json.loads(any["StateReasonData"])["triggeringAlarms"][0]["state"]["value"] == "ALARM", any
assert [len(cw.describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])[k]) for k in ("CompositeAlarms", "MetricAlarms")] == [1, 2]
assert [a["AlarmName"] for a in cw.describe_alarms(ChildrenOfAlarmName="any")["MetricAlarms"]] == ["many calls", "rate"]
(parent,) = cw.describe_alarms(ParentsOfAlarmName="rate")["CompositeAlarms"]
assert parent["AlarmName"] == "any" and "AlarmRule" not in parent, parent
refused("ValidationError", cw.describe_alarms, ParentsOfAlarmName="rate", StateValue="OK")
refused("ValidationError", cw.delete_alarms, AlarmNames=["rate"])
history = [(h["AlarmType"], h["HistoryItemType"]) for h in cw.describe_alarm_history(AlarmName="any", AlarmTypes=["CompositeAlarm"], ScanBy="TimestampAscending")["AlarmHistoryItems"]]
assert history == [("CompositeAlarm", t) for t in ("ConfigurationUpdate", "StateUpdate", "StateUpdate")], history
assert cw.list_tags_for_resource(ResourceARN=any["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "shop"}]

many, rate = cw.describe_alarms()["MetricAlarms"]
assert {k: many[k] for k in alarm} == alarm and not many["ActionsEnabled"] and many["StateValue"] == "INSUFFICIENT_DATA", many
assert many["OKActions"] == [] and "DatapointsToAlarm" not in many and many["AlarmArn"].endswith(":alarm:many calls"), many
assert rate["StateValue"] == "ALARM" and rate["StateReason"] == "a test" and rate["Metrics"][1]["MetricStat"]["Stat"] == "p99", rate
assert [a["AlarmName"] for a in cw.describe_alarms(AlarmNamePrefix="r")["MetricAlarms"]] == ["rate"]
assert [a["AlarmName"] for a in cw.describe_alarms(StateValue="ALARM")["MetricAlarms"]] == ["rate"]
assert [a["AlarmName"] for p in cw.get_paginator("describe_alarms").paginate(PaginationConfig=dict(PageSize=1)) for a in p["MetricAlarms"]] == ["many calls", "rate"]
assert [a["AlarmName"] for a in cw.describe_alarms_for_metric(MetricName="calls", Namespace="shop", Dimensions=dims)["MetricAlarms"]] == ["many calls"]
history = [h["HistoryItemType"] for h in cw.describe_alarm_history(AlarmName="rate")["AlarmHistoryItems"]]
assert history == ["StateUpdate", "ConfigurationUpdate"], history
assert cw.list_tags_for_resource(ResourceARN=many["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "orders"}]
found = boto3.client("resourcegroupstaggingapi").get_resources(ResourceTypeFilters=["cloudwatch:alarm"])["ResourceTagMappingList"]
assert sorted(m["ResourceARN"] for m in found) == [any["AlarmArn"], many["AlarmArn"]], found
assert cw.get_dashboard(DashboardName="shop")["DashboardBody"] == '{"widgets":[]}'
assert [d["DashboardName"] for d in cw.list_dashboards()["DashboardEntries"]] == ["shop"]

# The same by awsQuery and awsJson 1.0, as older clients speak.
status, text = raw("Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=rate", **{"Content-Type": "application/x-www-form-urlencoded"})
assert status == 200 and "<DescribeAlarmsResult><" in text and "<AlarmName>rate</AlarmName>" in text, text
status, text = raw("Action=GetDashboard&Version=2010-08-01&DashboardName=x", **{"Content-Type": "application/x-www-form-urlencoded"})
assert status == 404 and "<Code>ResourceNotFound</Code>" in text, text
status, text = raw("Action=PutMetricData&Version=2010-08-01&Namespace=old&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1.5", **{"Content-Type": "application/x-www-form-urlencoded"})
assert status == 200, text
target = "GraniteServiceVersion20100801."
status, text = raw(json.dumps({"AlarmNames": ["rate"]}), **{"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target + "DescribeAlarms"})
assert status == 200 and json.loads(text)["MetricAlarms"][0]["AlarmName"] == "rate", text
status, text = raw(json.dumps({"DashboardName": "x"}), **{"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target + "GetDashboard"})
assert status == 400 and json.loads(text)["__type"] == "DashboardNotFoundError", text

if sys.argv[1] == "again":
    cw.tag_resource(ResourceARN=many["AlarmArn"], Tags=[{"Key": "a", "Value": "b"}])
    cw.untag_resource(ResourceARN=many["AlarmArn"], TagKeys=["team"])
    assert cw.list_tags_for_resource(ResourceARN=many["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    cw.delete_alarms(AlarmNames=["rate", "many calls", "any"])
    cw.delete_dashboards(DashboardNames=["shop"])
    left = cw.describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])
    assert left["MetricAlarms"] == left["CompositeAlarms"] == cw.list_dashboards()["DashboardEntries"] == [], left
print("ok")
