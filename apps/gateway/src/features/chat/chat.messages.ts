import { IsInt, IsString, Length } from 'class-validator';

export class SendMessage {
  @IsString()
  @Length(1, 2_000)
  text!: string;
}

/** Log event `chat.sent`. */
export class MessageSent {
  @IsString()
  user!: string;

  @IsString()
  @Length(1, 2_000)
  text!: string;

  /** Milliseconds since 1970, by the node's clock. */
  @IsInt()
  at!: number;
}

/** Volatile event `chat.typing`. */
export class Typing {
  @IsString()
  user!: string;
}
