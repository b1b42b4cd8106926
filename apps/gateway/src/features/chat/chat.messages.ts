import { IsString, Length } from 'class-validator';

export class SendMessage {
  @IsString()
  @Length(1, 2_000)
  text!: string;
}

/** Log event `chat.sent`. */
export class MessageSent {
  user!: string;
  text!: string;
  /** Milliseconds since 1970, by the node's clock. */
  at!: number;
}
