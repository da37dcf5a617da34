/* The inside of the parser: what its files share. parser.c has the grammar, functions.c what stands before '(',
 * mistakes.c what is said of names that are not there. */
#pragma once

#include "rules/expression.h"
#include "rules/lexer.h"

typedef enum Type { TYPE_NUMBER, TYPE_CONDITION } Type;

/* An expression that is being read. */
typedef struct Program {
        Op ops[EXPRESSION_OPS_MAX];
        size_t count;
        unsigned stack;
        size_t value; /* one more than the op's place; 0: none yet */
        size_t age; /* one more than the place in the text of the first age() that is not compared yet; 0: none */
        size_t age_op; /* that age() */
        bool vital;    /* names one */
} Program;

typedef struct Parser {
        const char *text;
        ExpressionUse use;
        Vocabulary *words;
        Token token;  /* the next one */
        size_t end;   /* of the one before it */
        size_t name;  /* place in the text of the name that is being read */
        size_t vital; /* one more than the place of the first vital outside of counts; 0: none yet */
        Program *program;
        bool in_count;
        Count counts[EXPRESSION_COUNTS_MAX];
        size_t count_count;
        char by[ATTRIBUTE_NAME_MAX];
        unsigned depth;
        size_t *offset; /* where the mistake is */
        Error *e;
} Parser;

enum {
        PRECEDENCE_OR = 1,
        PRECEDENCE_AND,
        PRECEDENCE_COMPARE,
        PRECEDENCE_SUM,
        PRECEDENCE_TERM,
        PRECEDENCE_UNARY
};

/* -EINVAL, after p->e has been set. */
int parser_fail(Parser *p, size_t offset);
/* An age() at that place that is not compared with a number. */
int parser_fail_age(Parser *p, size_t offset);
/* "expected ..., found ...", at the next token */
int parser_expected(Parser *p, const char *what);
int parser_next(Parser *p) _must_check_;
int parser_accept(Parser *p, TokenType type, const char *what) _must_check_;
/* pushed: what the operation adds to the stack. */
int parser_emit(Parser *p, const Op *op, int pushed) _must_check_;
/* The last op's number is what an alert shows, if it is the first such. */
void parser_show(Parser *p);
/* Operators that bind at least as tightly as precedence, left to right. */
int parser_operators(Parser *p, int precedence, Type *ret) _must_check_;
/* A vital's fresh value; that which the group assumes where there is none. */
int parser_emit_fresh(Parser *p, VitalId vital) _must_check_;
int parser_emit_assumed(Parser *p, VitalId vital) _must_check_;
int parser_emit_else(Parser *p) _must_check_;
int parser_find_vital(Parser *p, const Token *name, const Vital **ret) _must_check_;
Expression *parser_copy(const Program *program, Expression *ret);

/* What stands between the parentheses after a name, from the opening one on. */
int parser_call(Parser *p, const Token *name, Type *ret) _must_check_;

enum { FUNCTIONS_MAX = 32 };
/* Their names; how many there are. */
size_t function_names(const char *ret[static FUNCTIONS_MAX]);
/* What goes into its parentheses; NULL: there is no such function. */
const char *function_arguments(const char *name);

/* Each sets the message and fails at the name. */
int mistake_name(Parser *p, const Token *name);
int mistake_function(Parser *p, const Token *name);
