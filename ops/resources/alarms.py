"""The alarms that report by email what signin-monitor cannot post: its own failures."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from chalicelib import resource_names
from chalicelib.settings import Settings
from ops.account import Account
from ops.plan import Step

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef, TagTypeDef

# Seconds: on_undelivered has tried twice, and from its third try on a message counts no more
# ("Available CloudWatch metrics for Amazon SQS", Amazon SQS Developer Guide).
_STUCK: Final = 600.0
_ERRORS: Final = tuple(f"errors-{handler}" for handler in resource_names.HANDLERS)
_NAMES: Final = (*_ERRORS, "uninvoked", "failed", "parked", "stuck")


class Alarms:
    """The alarms of one stage and the topic that they speak to."""

    def __init__(self, account: Account, stage: str) -> None:
        self._stage = stage
        self._tags: list[TagTypeDef] = [
            {"Key": key, "Value": value} for key, value in account.tags_for(stage).items()
        ]
        self._prefix = f"{resource_names.APP}-{stage}-"
        self.topic = f"{self._prefix}alarms"
        self._topic_arn = account.arn("sns", self.topic)
        self._cloudwatch: CloudWatchClient = account.session.client("cloudwatch")
        self._sns: SNSClient = account.session.client("sns")
        self._has_topic = any(
            topic["TopicArn"] == self._topic_arn
            for page in self._sns.get_paginator("list_topics").paginate()
            for topic in page["Topics"]
        )

    def steps(self, settings: Settings, email: str | None) -> Iterator[Step]:
        """Return the steps to the alarms of what the stage deploys, sent to `email` as well."""
        if not self._has_topic:
            yield Step(
                f"make the SNS topic {self.topic}",
                lambda: self._sns.create_topic(Name=self.topic, Tags=self._tags),
            )
        if email and not any(
            subscription["Endpoint"] == email for subscription in self._subscriptions()
        ):
            yield Step(
                f"subscribe {email} to {self.topic}",
                lambda: self._sns.subscribe(
                    TopicArn=self._topic_arn, Protocol="email", Endpoint=email
                ),
                "AWS asks there for a confirmation",
            )
        found = self._found()
        wanted = list(self._wanted(settings))
        lacking = [
            alarm
            for alarm in wanted
            for there in [found.get(alarm["AlarmName"], {})]
            if any(there.get(key) != value for key, value in alarm.items())
        ]
        if lacking:
            yield Step(
                f"make the alarms ({len(lacking)})",
                lambda: [
                    self._cloudwatch.put_metric_alarm(**alarm, Tags=self._tags) for alarm in lacking
                ],
                ", ".join(alarm["AlarmName"] for alarm in lacking),
            )
        if needless := sorted(found.keys() - {alarm["AlarmName"] for alarm in wanted}):
            yield self._deletion(needless)

    @property
    def are_subscribed(self) -> bool:
        """Whether anybody is subscribed to them, confirmed or not."""
        return bool(self._subscriptions())

    @property
    def subscribers(self) -> list[str]:
        """Who gets them; whoever has not followed the link that AWS sent gets nothing."""
        return [
            subscription["Endpoint"]
            for subscription in self._subscriptions()
            if subscription["SubscriptionArn"].startswith("arn:")
        ]

    def removal_steps(self) -> Iterator[Step]:
        """Return the steps that take the alarms and their topic away."""
        if found := sorted(self._found()):
            yield self._deletion(found)
        if self._has_topic:
            yield Step(
                f"delete the SNS topic {self.topic}",
                lambda: self._sns.delete_topic(TopicArn=self._topic_arn),
                kind="remove",
            )

    def _deletion(self, alarms: list[str]) -> Step:
        return Step(
            f"delete the alarms ({len(alarms)})",
            lambda: self._cloudwatch.delete_alarms(AlarmNames=alarms),
            ", ".join(alarms),
            kind="remove",
        )

    def _wanted(self, settings: Settings) -> Iterator[dict[str, Any]]:
        for handler in resource_names.deployed_handlers(settings):
            function = resource_names.function(self._stage, handler)
            yield self._alarm(
                f"errors-{handler}", "AWS/Lambda", "Errors", {"FunctionName": function}
            )
        rule = resource_names.rule(self._stage, "on_sign_in")
        yield self._alarm("uninvoked", "AWS/Events", "FailedInvocations", {"RuleName": rule})
        yield self._alarm("failed", "SigninMonitor", "Failed", {"Stage": self._stage})
        yield self._alarm("parked", "SigninMonitor", "Parked", {"Stage": self._stage})
        if queue := settings.undelivered_queue:
            age = "ApproximateAgeOfOldestMessage"
            yield {
                **self._alarm("stuck", "AWS/SQS", age, {"QueueName": queue}),
                "Statistic": "Maximum",
                "Threshold": _STUCK,
            }

    def _alarm(
        self, name: str, namespace: str, metric: str, dimensions: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return an alarm that rings when a metric counts anything within five minutes."""
        return {
            "AlarmName": f"{self._prefix}{name}",
            "AlarmDescription": f"python -m ops doctor --stage {self._stage} says what is wrong.",
            "ActionsEnabled": True,
            "AlarmActions": [self._topic_arn],
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 1.0,
            "TreatMissingData": "notBreaching",
        }

    def _found(self) -> dict[str, Mapping[str, Any]]:
        names = [f"{self._prefix}{name}" for name in _NAMES]
        alarms = self._cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        return {alarm["AlarmName"]: alarm for alarm in alarms}

    def _subscriptions(self) -> "list[SubscriptionTypeDef]":
        if not self._has_topic:
            return []
        pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(
            TopicArn=self._topic_arn
        )
        return [subscription for page in pages for subscription in page["Subscriptions"]]
