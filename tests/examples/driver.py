"""Has the client in Python do what it is told: a line of JSON each, `[METHOD, ARGUMENTS]`, answered by a list of results."""

import json
import sys

import client


def shown(result):
    if not isinstance(result, client.Error):
        return {"data": result}
    code = getattr(result, "code", None)
    message = str(result).removeprefix(f"{code}: ")
    return {"error": type(result).__name__, "code": code, "message": message}


def carry_out(shopper, method, arguments):
    try:
        if method == "put_into_cart":
            result = client.put_into_cart(shopper, *arguments)
        else:
            result = getattr(shopper, method)(*arguments)
    except client.Error as error:
        result = error
    return result if isinstance(result, list) else [result]


def main(addresses, alone=None):
    shopper = client.Client(addresses.split(","), is_alone=alone is not None)
    for line in sys.stdin:
        results = carry_out(shopper, *json.loads(line))
        # Tests compare prices as the client in Rust has them.
        print(json.dumps([shown(result) for result in results], default=float), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
