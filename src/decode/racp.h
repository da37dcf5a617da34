/* Record Access Control Point (0x2A52): asks a device for its stored measurements. What is written to the characteristic,
 * and what its indications say; GATT Specification Supplement, Record Access Control Point. */
#pragma once

#include "base/error.h"

enum { RACP_CHARACTERISTIC = 0x2a52, RACP_REQUEST_MAX = 7 };

typedef enum RacpOperation {
        RACP_REPORT = 1, /* send the records */
        RACP_DELETE = 2,
        RACP_ABORT = 3,
        RACP_COUNT = 4, /* say how many there are */
} RacpOperation;

/* Which records. */
typedef enum RacpOperator {
        RACP_NONE = 0, /* for RACP_ABORT alone */
        RACP_ALL = 1,
        RACP_UP_TO = 2, /* sequence numbers up to last, inclusive */
        RACP_FROM = 3,  /* sequence numbers from first, inclusive */
        RACP_RANGE = 4, /* first to last, both inclusive */
        RACP_OLDEST = 5,
        RACP_NEWEST = 6,
} RacpOperator;

typedef struct RacpRequest {
        RacpOperation operation;
        RacpOperator operator;
        uint16_t first, last; /* sequence numbers, where the operator takes them */
} RacpRequest;

/* The bytes to write; their number. -EINVAL where operation and operator don't go together. */
int racp_encode(const RacpRequest *r, uint8_t ret[static RACP_REQUEST_MAX]) _must_check_;

typedef enum RacpResult {
        RACP_SUCCESS = 1,
        RACP_OPERATION_NOT_SUPPORTED = 2,
        RACP_INVALID_OPERATOR = 3,
        RACP_OPERATOR_NOT_SUPPORTED = 4,
        RACP_INVALID_OPERAND = 5,
        RACP_NO_RECORDS = 6, /* there are none that match: no fault */
        RACP_ABORT_FAILED = 7,
        RACP_NOT_COMPLETED = 8,
        RACP_OPERAND_NOT_SUPPORTED = 9,
} RacpResult;

/* What a device answers: how many records there are, where RACP_COUNT was asked and did not fail; else how the operation
 * ended. */
typedef struct RacpResponse {
        RacpOperation operation; /* that it is the answer to */
        uint16_t count;          /* RACP_COUNT that succeeded */
        RacpResult result;
} RacpResponse;

/* -EBADMSG for what is no response: another opcode or length, an operation that cannot be requested, a reserved result. */
int racp_parse(Bytes value, RacpResponse *ret, Error *e) _must_check_;
const char *racp_result_text(RacpResult r); /* "no records found" */
