"""Runs ministack, microburst in front of it, the stand-ins for providers, or a server of files, the way this repository
needs it.

    python local_aws.py --state DIR [--ends-with-parent] ministack
    python local_aws.py --state DIR [--ends-with-parent] microburst ARGUMENT…
    python local_aws.py --state DIR [--ends-with-parent] provider-stubs PROGRAM ARGUMENT…
    python local_aws.py --state DIR [--ends-with-parent] web ARGUMENT…
"""

import argparse
import os
import re
import runpy
import signal
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="where logs of functions go; also marks the process")
    parser.add_argument("--ends-with-parent", action="store_true", help="stop when stdin is closed")
    parser.add_argument("service", choices=["ministack", "microburst", "provider-stubs", "web"])
    options, arguments = parser.parse_known_args()

    if options.ends_with_parent:
        threading.Thread(target=stop_at_end_of_stdin, daemon=True).start()
    sys.argv = [options.service, *arguments]
    if options.service == "ministack":
        run_ministack(options.state / "logs")
    elif options.service == "microburst":
        run_microburst()
    elif options.service == "web":
        runpy.run_module("http.server", run_name="__main__")
    else:
        # In our group, with which it ends.
        sys.exit(subprocess.call(arguments, stdin=subprocess.DEVNULL))


def stop_at_end_of_stdin() -> None:
    """A parent that is killed cannot stop us, but its end of the pipe closes. The functions are in our group."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)


def run_ministack(logs: Path) -> None:
    # The Runtime API writes an answer's head and body apart: with Nagle's algorithm each invocation waits for the
    # delayed acknowledgement of the first, 40 ms.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    from ministack import app
    from ministack.services import apigateway, cognito, lambda_svc, sns

    apigateway._invoke_lambda_proxy = queue_or(apigateway._invoke_lambda_proxy)
    sns._create_platform_endpoint = name_endpoint_after(sns._create_platform_endpoint)
    look_closely = cognito._resolve_user

    def look_for_user(pool, name):
        """Nine tenths of the time it takes to make thousands of users goes into seeing that there is none yet."""
        users = pool["_users"]
        bears_name = (name == it.get("Value") for user in users.values() for it in user.get("Attributes", ()))
        is_there = name in users or any(bears_name)
        return look_closely(pool if is_there else {**pool, "_users": {}}, name)

    cognito._resolve_user = look_for_user
    write_to_cloudwatch = lambda_svc._emit_lambda_logs

    def write_to_file_too(func, request_id, log_text, *rest, **options) -> None:
        write_to_cloudwatch(func, request_id, log_text, *rest, **options)
        if log_text:
            name = folder_name((func.get("config") or func)["FunctionName"])
            with open(logs / f"{name}.log", "a", encoding="utf-8") as log:
                log.write(f"{log_text}\n")

    lambda_svc._emit_lambda_logs = write_to_file_too
    app.main()


def queue_or(invoke_function):
    """Serves the integration SQS-SendMessage of an HTTP API.

    ministack takes every AWS_PROXY for one to a function, and its CloudFormation forgets the subtype; of the
    integrations we use, only the one to a queue maps a QueueUrl. What it maps otherwise, ministack knows how to read.
    """
    from ministack.services import apigateway, sqs

    async def integrate(integration, *request, **identity):
        if "QueueUrl" not in (integration.get("requestParameters") or {}):
            return await invoke_function(integration, *request, **identity)
        _api, stage, path, method, headers, _body, query, route, path_params = request
        context = {
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": int(time.time() * 1000),
            "httpMethod": method,
            "path": path,
            "routeKey": route,
            "stage": stage,
            "authorizer.jwt.claims": identity["authorizer_claims"] or {},
        }

        def fill_in(text):
            return apigateway._resolve_mapping_value(
                text,
                request_headers=headers,
                request_query=query or {},
                path_params=path_params or {},
                context_vars=context,
                stage_vars={},
            )

        message = {name: fill_in(text) for name, text in integration["requestParameters"].items()}
        status, answer_headers, answer = await sqs._handle_json("SendMessage", message, "/")
        mapped = integration["responseParameters"].get(str(status), {}).get("ResponseParameters", [])
        for mapping in mapped:
            what, value = mapping["Destination"].removeprefix("overwrite:"), fill_in(mapping["Source"])
            if what == "statuscode":
                status = int(value)
            else:
                answer_headers[what.removeprefix("header.")] = value
        return status, answer_headers, answer

    return integrate


def name_endpoint_after(create_endpoint):
    """The ARN of a device's endpoint has `endpoint/` where that of its application has `app/`, which ministack keeps."""
    from ministack.services import sns

    def create(params):
        status, headers, body = create_endpoint(params)
        for wrong in [arn for arn in sns._platform_endpoints if ":app/" in arn]:
            arn = wrong.replace(":app/", ":endpoint/")
            sns._platform_endpoints[arn] = {**sns._platform_endpoints[wrong], "arn": arn}
            del sns._platform_endpoints[wrong]
            body = body.replace(wrong.encode(), arn.encode())
        return status, headers, body

    return create


def folder_name(function: str) -> str:
    """`Flashsale-local-Coupon-ClaimCouponA8D9955E-413250625E14C` is what CloudFormation calls `claim-coupon`.

    It cuts long names off: `…-ManageNotificationPref0F252DB442F79`.
    """
    made = re.search(r"-([A-Za-z]+?)[0-9A-F]{8}[0-9A-F-]+$", function)
    if not made:
        return function
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", made[1]).lower()
    folders = sorted(it.name for it in FUNCTIONS.iterdir() if it.name.startswith(name)) if FUNCTIONS.is_dir() else []
    return name if name in folders else next(iter(folders), name)


def run_microburst() -> None:
    from microburst.cli import main as microburst

    sys.exit(microburst())


if __name__ == "__main__":
    main()
